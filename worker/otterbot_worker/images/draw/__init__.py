"""Drawing one picture: passes of denoising, what acts on their steps, decoding."""
