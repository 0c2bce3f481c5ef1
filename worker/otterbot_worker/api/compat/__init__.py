"""Other programs: OpenAI's API below ``/openai/v1``, AUTOMATIC1111's below ``/sdapi/v1``, as ``api.compat`` says.

A request of theirs becomes a job like the bot's own: the same code resolves, limits and queues it. What is theirs is
the form of questions, answers and errors.
"""
