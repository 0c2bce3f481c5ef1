"""What older versions have left on people's disks, as files: a folder for each, made by ``scripts/census keep``."""

from .loading import VERSIONS, Old

__all__ = ["VERSIONS", "Old"]
