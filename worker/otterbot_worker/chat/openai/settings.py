"""What the configuration says of an OpenAI-compatible server."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ...addresses import at_home
from ..records import BackendSettings

NAME = "The chat server"


@dataclass(frozen=True, kw_only=True)
class OpenAISettings(BackendSettings):
    """Times in seconds."""

    url: str
    key: str | None = field(default=None, repr=False)
    name: str = NAME
    """As sentences call it."""
    load_timeout: float = 900.0
    """For a server that says that it loads its model."""

    @property
    def base(self) -> str:
        """The address before ``/chat/completions``: an address without a path means the one that all have."""
        url = self.url.rstrip("/")
        return url if urlsplit(url).path else f"{url}/v1"

    @property
    def at_home(self) -> bool:
        return at_home(self.url)
