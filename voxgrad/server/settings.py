"""Settings of the server, and all its limits; docs/serve.md says what is answered beyond each."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from voxgrad.settings import Positive, Spec
from voxgrad.threads import usable_processors

_ORIGIN: Final = re.compile(
    r"[a-z][a-z0-9+.-]*://[a-z0-9._-]+(:\d{1,5})?|[a-z][a-z0-9+.-]*://\[[0-9a-f:]+\](:\d{1,5})?"
)
_PORTS: Final = {"http": ":80", "https": ":443"}


def _origin(given: str) -> str:
    """As a browser sends it: without a path, and without the port that the scheme has by itself.

    >>> _origin("HTTPS://Chat.Example.org:443/"), _origin("http://[::1]:3000")
    ('https://chat.example.org', 'http://[::1]:3000')
    """
    origin = given.lower().removesuffix("/")
    if _ORIGIN.fullmatch(origin) is None:
        raise ValueError(f"{given} is not an origin; write --allow-origin https://chat.example.org")
    return origin.removesuffix(_PORTS.get(origin.partition(":")[0], "/"))


def _pairs(given: object) -> object:
    """Options ``NAME=VALUE`` as a mapping."""
    if not isinstance(given, list | tuple):
        return given
    pairs = [str(option).partition("=") for option in given]
    for name, _, value in pairs:
        if not (name and value):
            raise ValueError(f"{name} has no voice; write --voice-name alloy=alice")
    return {name: value for name, _, value in pairs}


class Limits(Spec):
    """How much a client may send, and how long anything may take. Sizes in bytes, times in seconds."""

    text_characters: Positive = 100_000
    """Of one request; about an hour and a half of speech."""
    json_bytes: Positive = 1 << 20
    """Of a body that is JSON."""
    take_bytes: Positive = 32 << 20
    """Of one recording of a prompt: two minutes and more at 48 kHz in 32 bits."""
    upload_bytes: Positive = 2 << 30
    """Of one uploaded file, and of what a zip unpacks to."""
    upload_files: Positive = 20_000
    """In one zip."""
    connections: Positive = 256
    """Open at once."""
    header_seconds: float = Field(default=10.0, gt=0)
    """From the connection to the end of the request's header."""
    idle_seconds: float = Field(default=20.0, gt=0)
    """Between two pieces of a body that is sent, or until a client takes more of an answer."""
    start_seconds: float = Field(default=60.0, gt=0)
    """Until the first audio of a request."""
    request_seconds: float = Field(default=3600.0, gt=0)
    """For the whole answer."""
    passage_seconds: float = Field(default=300.0, gt=0)
    """For one passage or one check in a worker, after which the worker is replaced."""
    drain_seconds: Positive = 30
    """For answers in progress once the server is told to stop."""


class ServerSettings(Spec):
    """The options of `voxgrad serve`."""

    host: str = Field(default="127.0.0.1", json_schema_extra={"metavar": "ADDRESS"})
    """Address to listen on. An address that other computers reach needs a token."""
    port: int = Field(default=8020, ge=0, le=65535)
    """Port to listen on; 0 is any free port."""
    token: str | None = Field(
        default=None, min_length=16, json_schema_extra={"metavar": "T", "envvar": "VOXGRAD_TOKEN"}
    )
    """Token that clients must send, 16 characters or more (default: none; then only this computer can connect)."""
    allowed_hosts: tuple[str, ...] = Field(default=(), json_schema_extra={"option": "--allow-host", "metavar": "NAME"})
    """Another host name by which clients may call the server; repeatable."""
    allowed_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = Field(
        default=(), json_schema_extra={"option": "--allow-origin", "metavar": "ORIGIN"}
    )
    """Site whose pages may use the server, such as https://chat.example.org; repeatable."""
    voice_names: Annotated[dict[str, str], BeforeValidator(_pairs)] = Field(
        default={}, json_schema_extra={"option": "--voice-name", "metavar": "NAME=VOICE"}
    )
    """Another name for a voice, such as alloy=alice; repeatable. A voice of that name goes first."""
    wyoming: str | None = Field(default=None, json_schema_extra={"metavar": "[ADDRESS:]PORT"})
    """Port of the Wyoming protocol, for Home Assistant (default: off). Only this computer can connect, unless an
    address is given."""
    queue: Positive = 64
    """Number of requests that may be in progress or wait. Others get status 429."""
    workers: Positive = Field(default_factory=usable_processors)
    """Number of worker processes (default: one for each processor). Each has one thread."""
    voice_megabytes: Positive = Field(default=1024, json_schema_extra={"option": "--voice-memory", "metavar": "MB"})
    """Memory for loaded voices, in each worker. The least recently used are unloaded."""
    training_overrides: tuple[str, ...] = Field(
        default=(), json_schema_extra={"option": "--set", "metavar": "KEY=VALUE"}
    )
    """Change a key of the presets for voices that are made on the page; repeatable."""
    log_text: bool = False
    """Log the texts that are spoken."""
    limits: Limits = Limits()

    @field_validator("wyoming")
    @classmethod
    def _names_a_port(cls, value: str | None) -> str | None:
        port = "0" if value is None else value.rpartition(":")[2]
        if not (port.isascii() and port.isdecimal() and int(port) <= 65535):
            raise ValueError(f"{value} is not a port; write 10200, or 0.0.0.0:10200")
        return value

    @property
    def wyoming_address(self) -> tuple[str, int]:
        """Host and port of the Wyoming protocol, if it is on."""
        host, _, port = (self.wyoming or "0").rpartition(":")
        return host.strip("[]") or "127.0.0.1", int(port)
