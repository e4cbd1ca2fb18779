"""`voxgrad serve`: speech over HTTP and Wyoming, and a page on which a voice is made."""

import os
import re
from importlib.util import find_spec
from typing import Annotated

import typer

from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError

_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://[a-z0-9._-]+(:\d{1,5})?|[a-z][a-z0-9+.-]*://\[[0-9a-f:]+\](:\d{1,5})?"
)
_PORTS = {"http": ":80", "https": ":443"}
_NEEDED = ("starlette", "uvicorn", "prometheus_client", "wyoming", "av")


def serve(
    context: typer.Context,
    *,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Listen here; other machines need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0: any free port.")] = 8020,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="What clients must send, 16 characters or more; default: $VOXGRAD_TOKEN."
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name that clients may call the server by; repeatable."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="A site whose pages may use the server; repeatable."),
    ] = None,
    voice_name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VOICE", help="Another name for a voice, such as alloy=alice; repeatable."),
    ] = None,
    wyoming: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS:]PORT", help="Also serve Wyoming, for Home Assistant; it knows no token."
        ),
    ] = None,
    queue: Annotated[
        int, typer.Option(min=1, metavar="N", help="Requests in work or waiting; beyond: status 429.")
    ] = 64,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes that compute; default: one a processor.")
    ] = None,
    voice_memory: Annotated[
        int, typer.Option(min=1, metavar="MB", help="Memory for loaded voices, of each worker.")
    ] = 1024,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the presets of voices made here."),
    ] = None,
    log_text: Annotated[bool, typer.Option("--log-text", help="Log the texts that are spoken.")] = False,
) -> None:
    """Serve speech to other programs, and a page on which a person makes a voice. Ctrl-C ends it."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise BadInputError(
            f"voxgrad serve needs {', '.join(missing)}", "Install it with: pip install 'voxgrad[serve]'."
        )
    import logging

    from voxgrad.cli.terminal import answer
    from voxgrad.presets import validated
    from voxgrad.server.run import serve as run
    from voxgrad.server.settings import ServerSettings
    from voxgrad.store import Store

    session: Session = context.obj
    logging.basicConfig(
        level=logging.INFO if session.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if log_text:
        logging.getLogger("voxgrad.server").setLevel(logging.INFO)
    given = token if token is not None else os.environ.get("VOXGRAD_TOKEN")
    asked = {
        "host": host,
        "port": port,
        "token": given or None,
        "allowed_hosts": tuple(allow_host or ()),
        "allowed_origins": tuple(_origin(one) for one in allow_origin or ()),
        "voice_names": dict(_voice_name(one) for one in voice_name or ()),
        **_wyoming(wyoming),
        "queue": queue,
        "voice_megabytes": voice_memory,
        "training_overrides": tuple(overrides or ()),
        "log_text": log_text,
        **({} if workers is None else {"workers": workers}),
    }
    settings = validated(ServerSettings, asked, "serve")

    def ready(address: str, wyoming_port: int | None) -> None:
        beside = "" if wyoming_port is None else f", and for Wyoming on port {wyoming_port}"
        told = {"address": address, "wyoming": wyoming_port, "workers": settings.workers}
        answer(session, told, f"voxgrad listens at {address}{beside}; Ctrl-C ends it")

    run(Store.open(session.home), settings, ready)


def _origin(given: str) -> str:
    """As a browser sends it: without a path, and without the port that the scheme has by itself."""
    origin = given.lower().removesuffix("/")
    if _ORIGIN.fullmatch(origin) is None:
        raise BadInputError(
            f"--allow-origin {given} is no origin", "Write scheme and host, such as https://chat.example.org."
        )
    scheme = origin.partition(":")[0]
    return origin.removesuffix(_PORTS.get(scheme, ""))


def _voice_name(given: str) -> tuple[str, str]:
    name, _, voice = given.partition("=")
    if not (name and voice):
        raise BadInputError(f"--voice-name {given} names no voice", "Write it as alloy=alice.")
    return name, voice


def _wyoming(given: str | None) -> dict[str, str | int]:
    """The address of Wyoming: of this machine alone, unless another is named."""
    if given is None:
        return {}
    host, _, port = given.rpartition(":")
    if not (port.isascii() and port.isdecimal()):
        raise BadInputError(f"--wyoming {given} is no port", "Write --wyoming 10200, or 0.0.0.0:10200.")
    return {"wyoming_port": int(port), **({"wyoming_host": host.strip("[]")} if host else {})}
