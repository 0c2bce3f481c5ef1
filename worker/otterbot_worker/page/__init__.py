"""The page for the operator's browser, served by the worker. See ``docs/architecture/page.md``."""
