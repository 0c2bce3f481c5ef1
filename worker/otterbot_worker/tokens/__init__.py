"""Tokens of other programs, and of operators: made and revoked by ``otterbot-worker token``, looked up by the API.

Only hashes are stored (``file``), and when each was last used (``used``). The bot's own token lies in a file of its own
(``api.auth``).
"""

from .entries import MOST, PREFIX, Entry, Kind, Stored, digest, token_id
from .file import BadTokensFile, TokensFile
from .used import Used

__all__ = ["MOST", "PREFIX", "BadTokensFile", "Entry", "Kind", "Stored", "TokensFile", "Used", "digest", "token_id"]
