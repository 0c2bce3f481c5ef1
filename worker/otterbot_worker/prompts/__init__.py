"""Prompts: from what a person typed to weighted fragments. Pure, and free of torch."""

from .weights import PARSER, Fragment, clean_text, parse

__all__ = ["PARSER", "Fragment", "clean_text", "parse"]
