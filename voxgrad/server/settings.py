"""Settings of the server, and all its limits; docs/serve.md says what is answered beyond each."""

from pydantic import Field

from voxgrad.settings import Spec
from voxgrad.settings.base import Positive
from voxgrad.threads import usable_processors


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
    """How the server runs."""

    host: str = "127.0.0.1"
    port: int = Field(default=8020, ge=0, le=65535)
    """0: any that is free."""
    token: str | None = Field(default=None, min_length=16)
    """What clients have to send; None: nothing, on the loopback interface only."""
    allowed_hosts: tuple[str, ...] = ()
    """Names, besides those of the loopback interface and ``host``, that clients may call the server by."""
    allowed_origins: tuple[str, ...] = ()
    """Of other sites' pages that may use the server, such as ``https://chat.example.org``."""
    voice_names: dict[str, str] = Field(default_factory=dict)
    """Voices by other names that clients ask for; a voice that has the name itself goes before."""
    wyoming_port: int | None = Field(default=None, ge=0, le=65535)
    """Of the Wyoming protocol; None: off."""
    wyoming_host: str = "127.0.0.1"
    """Of the Wyoming protocol, which knows no token."""
    queue: Positive = 64
    """Requests that are in work or wait; a further one is told to come back later."""
    workers: Positive = Field(default_factory=usable_processors)
    """Processes that compute, of one thread each."""
    voice_megabytes: Positive = 1024
    """Memory for loaded voices, in every worker; the least recently used leave."""
    training_overrides: tuple[str, ...] = ()
    """``key=value`` for the presets of voices that are made on the page."""
    log_text: bool = False
    """Whether texts are logged."""
    limits: Limits = Limits()
