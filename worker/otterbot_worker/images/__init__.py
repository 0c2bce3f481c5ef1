"""The engine: the only place with torch and diffusers. Run as a process (``images.child``), imported by nobody."""
