"""Prompts: from what a person typed to weighted fragments. Pure, and free of torch."""

from .dialects import PARSER, Parsed, Part, clean_text, parse, read
from .explain import Explanation, explain
from .schedules import StepCount
from .weights import Fragment

__all__ = ["PARSER", "Explanation", "Fragment", "Parsed", "Part", "StepCount", "clean_text", "explain", "parse", "read"]
