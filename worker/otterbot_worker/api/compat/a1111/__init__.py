"""AUTOMATIC1111's API below ``/sdapi/v1``."""
