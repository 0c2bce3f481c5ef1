"""OpenAI's API below ``/openai/v1``: pictures, models, chat completions."""
