"""The worker's settings: sections, keys, defaults and bounds. ``config_file`` reads them."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from . import addresses
from .expected import ADDRESS, REPOSITORY_OR_PATH


class BadConfig(Exception):
    """The settings cannot be used; the message names each key and what was expected there."""


def _expand(path: Path) -> Path:
    return path.expanduser()


def _off(value: object) -> object:
    """YAML reads a bare ``off`` as false."""
    return "off" if value is False else value


def _on_or_off(value: object) -> object:
    """YAML reads a bare ``on`` as true."""
    return "on" if value is True else _off(value)


def _default_data_dir() -> Path:
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path("~/.local/share")) / "otterbot"


FilePath = Annotated[Path, AfterValidator(_expand)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]
PublicUrl = Annotated[str, Field(pattern=ADDRESS), AfterValidator(lambda url: url.rstrip("/"))]
CLIENT_NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
ClientName = Annotated[str, Field(pattern=CLIENT_NAME)]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True, allow_inf_nan=False
    )


class ApiConfig(_Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8585
    tls_cert: FilePath | None = None
    tls_key: FilePath | None = None
    clients: Annotated[dict[ClientName, FilePath | None], Field(min_length=1)] = {"otterbot": None}
    max_body_bytes: Annotated[int, Field(ge=4096, le=64 * 1024 * 1024)] = 1024 * 1024
    max_streams: Annotated[int, Field(ge=1, le=1000)] = 16
    max_connections: Annotated[int, Field(ge=16, le=10_000)] = 512
    max_connections_per_address: Annotated[int, Field(ge=8, le=10_000)] = 128
    compat: tuple[Literal["openai", "a1111"], ...] = ()
    page: Annotated[Literal["auto", "on", "off"], BeforeValidator(_on_or_off)] = "auto"
    page_hosts: list[HostName] = []
    public_url: PublicUrl | None = None

    @model_validator(mode="after")
    def _both_tls_files(self) -> ApiConfig:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together: set both or neither")
        return self

    @property
    def names(self) -> list[str]:
        """By which browsers may call the worker, besides its own address."""
        public = [] if self.public_url is None else [urlsplit(self.public_url).hostname or ""]
        return [*self.page_hosts, *public]

    @property
    def loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class QueueConfig(_Section):
    max_open: Annotated[int, Field(ge=1)] = 500
    max_open_per_owner: Annotated[int, Field(ge=1)] = 72
    overtake_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 120.0
    overtake_chat_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 40.0


def _card(value: object) -> object:
    """The number of a card is short for ``cuda:NUMBER``."""
    return f"cuda:{value}" if isinstance(value, int) and not isinstance(value, bool) else value


Card = Annotated[str, Field(pattern=r"^(cpu|cuda(:[0-9]{1,3})?)$"), BeforeValidator(_card)]
MOST_CARDS = 16


class GpuConfig(_Section):
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$")] = "auto"
    devices: Literal["auto"] | Annotated[list[Card], Field(min_length=1, max_length=MOST_CARDS)] | None = None
    threads: Annotated[int | None, Field(ge=1, le=512)] = None
    step_timeout: Seconds = 300.0
    load_timeout: Seconds = 900.0
    reserve_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 500
    ram_reserve_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 2000
    lease: Literal["measured", "exclusive"] = "measured"
    idle_unload_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 900.0
    lock_file: FilePath | None = None

    @property
    def named(self) -> list[str]:
        """The devices as they are named here, the first one first; `auto` stands for what the machine has."""
        return self.devices if isinstance(self.devices, list) else [self.device]

    @model_validator(mode="after")
    def _one_of_both(self) -> GpuConfig:
        if self.devices is not None and self.device != "auto":
            raise ValueError("device and devices say the same: set one of them")
        if any(self.named.count(card) > 1 for card in self.named if card != "cpu"):
            raise ValueError("devices names a card twice")
        return self


class RayConfig(_Section):
    """Used with ``executor: ray`` alone."""

    address: Annotated[str, Field(pattern=r"^(auto|[A-Za-z0-9][A-Za-z0-9.-]{0,251}:[0-9]{1,5})$")] = "auto"
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "otterbot"
    resource: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")] = "GPU"
    heartbeat_seconds: Annotated[float, Field(ge=2, le=300, allow_inf_nan=False)] = 6.0
    only: bool = False


class ImagesConfig(_Section):
    default_model: Annotated[str, Field(min_length=1, max_length=255)] = "auto"
    downloads: bool = True
    catalogue: FilePath | None = None
    safety_checker: Annotated[str | None, Field(pattern=REPOSITORY_OR_PATH)] = "CompVis/stable-diffusion-safety-checker"
    captioner: Annotated[str | None, Field(pattern=REPOSITORY_OR_PATH)] = "florence-community/Florence-2-base"


class ChatModelConfig(_Section):
    num_ctx: Annotated[int, Field(ge=256, le=1_048_576)] = 4096
    num_predict: Annotated[int, Field(ge=-1)] = 1024
    temperature: Annotated[float | None, Field(ge=0, le=5)] = None
    think: bool | Literal["low", "medium", "high"] | None = None
    more: dict[str, int | float | bool | str] = {}


class ChatConfig(_Section):
    backend: Annotated[Literal["auto", "ollama", "openai", "builtin", "off"], BeforeValidator(_off)] = "auto"
    ollama_url: Annotated[str | None, Field(pattern=r"^https?://")] = "http://127.0.0.1:11434"
    url: Annotated[str | None, Field(pattern=r"^https?://")] = None
    api_key_file: FilePath | None = None
    cloud: str | None = None
    default_model: str | None = None
    reasoning: Literal["hide", "fold"] = "hide"
    allow_cloud: bool = False
    keep_alive_seconds: Seconds = 300.0
    load_timeout: Seconds = 900.0
    first_byte_timeout: Seconds = 180.0
    chunk_timeout: Seconds = 60.0
    total_timeout: Seconds = 600.0
    prompt_timeout: Seconds = 60.0
    options: ChatModelConfig = ChatModelConfig()
    models: dict[str, ChatModelConfig] = {}

    @model_validator(mode="after")
    def _a_server_at_home(self) -> ChatConfig:
        """Nothing leaves the operator's machines unless the operator names where it goes."""
        if self.backend != "openai":
            if self.url is not None or self.api_key_file is not None or self.cloud is not None:
                raise ValueError("url, api_key_file and cloud are for backend: openai")
            return self
        if self.url is None:
            raise ValueError("backend: openai needs url, the address of its server, as http://127.0.0.1:8080/v1")
        addresses.check(self.url, self.cloud)
        return self

    @property
    def leaves_home(self) -> bool:
        """Whether chats may go to somebody else's machines."""
        return self.allow_cloud or (self.url is not None and not addresses.at_home(self.url))


class ArchiveConfig(_Section):
    dir: FilePath | None = None
    keep_days: Annotated[float | None, Field(gt=0)] = None
    max_gb: Annotated[float | None, Field(gt=0)] = 20.0
    min_free_gb: Annotated[float, Field(ge=0)] = 1.0
    encrypted_rooms: Literal["keep", "until_delivered"] = "until_delivered"
    sweep_minutes: Annotated[float, Field(gt=0)] = 30.0


class InputsConfig(_Section):
    max_mb: Annotated[float, Field(gt=0, le=64)] = 20.0
    max_megapixels: Annotated[float, Field(gt=0, le=100)] = 40.0
    keep_hours: Annotated[float, Field(gt=0)] = 24.0
    max_gb: Annotated[float, Field(gt=0)] = 2.0


class LogConfig(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Config(_Section):
    data_dir: FilePath = Field(default_factory=_default_data_dir)
    api: ApiConfig = ApiConfig()
    queue: QueueConfig = QueueConfig()
    gpu: GpuConfig = GpuConfig()
    executor: Literal["local", "ray"] = "local"
    ray: RayConfig = RayConfig()
    images: ImagesConfig = ImagesConfig()
    chat: ChatConfig = ChatConfig()
    archive: ArchiveConfig = ArchiveConfig()
    inputs: InputsConfig = InputsConfig()
    log: LogConfig = LogConfig()

    @property
    def database(self) -> Path:
        return self.data_dir / "jobs.sqlite"

    @property
    def archive_dir(self) -> Path:
        return self.archive.dir or self.data_dir / "archive"

    @property
    def inputs_dir(self) -> Path:
        return self.data_dir / "inputs"

    @property
    def lock_file(self) -> Path:
        return self.gpu.lock_file or self.data_dir / "gpu.lock"

    @property
    def listen_file(self) -> Path:
        return self.data_dir / "listen"

    @property
    def chat_key_file(self) -> Path | None:
        """With the key of a chat server."""
        named = self.chat.api_key_file
        return None if named is None else self.data_dir / named

    @property
    def tokens_file(self) -> Path:
        """Hashes of other programs' tokens."""
        return self.data_dir / "tokens.json"

    @property
    def tokens_used_file(self) -> Path:
        """When each of them was last used."""
        return self.data_dir / "tokens-used.json"

    def token_file(self, client: str) -> Path:
        """Where a client's token lies; relative paths count from ``data_dir``."""
        named = self.api.clients[client]
        if named is not None:
            return self.data_dir / named
        return self.data_dir / ("token" if client == "otterbot" else f"token-{client}")
