"""The engine: the only place with torch and diffusers, imported by ``gpu/child`` alone."""
