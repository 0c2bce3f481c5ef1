"""The archive of pictures: files by date, each with everything needed to make it again.

Enter through `files.Archive`, which uses `writing`, `names`, `pictures`, `films`, `metadata`, `sidecars`, `free_names`,
`stored`, `sheets` and `retention`. It keeps no database: the worker's store knows which picture lies where. `reading`
reads the request back out of a file.
"""

from .files import Archive, ArchiveSettings
from .names import subject
from .retention import Known
from .sheets import Contents, Field
from .stored import Stored, StoredThumbnail

__all__ = ["Archive", "ArchiveSettings", "Contents", "Field", "Known", "Stored", "StoredThumbnail", "subject"]
