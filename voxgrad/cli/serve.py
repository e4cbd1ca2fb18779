"""`voxgrad serve`: speech over HTTP and Wyoming, and a page on which a voice is made."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from voxgrad.cli.shared_options import Session, command
from voxgrad.errors import BadInputError

_NEEDED = ("starlette", "uvicorn", "prometheus_client", "wyoming", "av")

if TYPE_CHECKING:
    from voxgrad.server.settings import ServerSettings


@command(settings="voxgrad.server.settings.ServerSettings")
def serve(session: Session, *, settings: "ServerSettings") -> None:
    """Speak for other programs, and clone voices on a web page. Stop it with Ctrl-C."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise BadInputError(
            f"voxgrad serve needs {', '.join(missing)}", "Install it with: pip install 'voxgrad[serve]'."
        )
    import logging

    from voxgrad.server.app import serve as run

    logging.basicConfig(
        level=logging.INFO if session.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if settings.log_text:
        logging.getLogger("voxgrad.server").setLevel(logging.INFO)

    def ready(address: str, wyoming_port: int | None) -> None:
        beside = "" if wyoming_port is None else f", and for Wyoming on port {wyoming_port}"
        told = {"address": address, "wyoming": wyoming_port, "workers": settings.workers}
        session.answer(told, f"voxgrad listens at {address}{beside}; Ctrl-C ends it")

    run(session.store, settings, ready)
