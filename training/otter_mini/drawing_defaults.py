"""How the model is drawn with, judged and shown where nobody says otherwise."""

STEPS, GUIDANCE = 20, 5.0
"""As the worker's ``models.yaml`` has them for the shipped model."""
