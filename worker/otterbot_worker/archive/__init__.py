"""The archive of pictures: files by date, each with everything needed to make it again.

`files.Archive` is the door; `names`, `pictures`, `metadata` and `retention` are its parts. It keeps no
database: the worker's store knows which picture lies where. `reading` is the way back, from a file to its request.
"""

from .files import Archive, ArchiveSettings, Stored, StoredThumbnail
from .names import subject
from .retention import Known

__all__ = ["Archive", "ArchiveSettings", "Known", "Stored", "StoredThumbnail", "subject"]
