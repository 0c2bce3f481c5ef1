"""A folder for ``PYTHONPATH``: Python imports ``sitecustomize`` from there at its start."""
