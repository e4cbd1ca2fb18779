"""`voxgrad import`: an official checkpoint becomes a base or a vocoder."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from voxgrad.cli.prepare import Frontend
from voxgrad.cli.session import Session
from voxgrad.errors import BadInputError


class Kind(StrEnum):
    """What a checkpoint is."""

    BASE = "base"
    VOCODER = "vocoder"


def adopt(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .pt, .pth, .ckpt or .safetensors file.")],
    kind: Annotated[Kind, typer.Option(help="A Grad-TTS is a base, a HiFi-GAN generator a vocoder.")],
    name: Annotated[str | None, typer.Option(help="Default: the file's name.")] = None,
    pe_scale: Annotated[
        int | None, typer.Option(metavar="1|1000", help="Base: 1 for grad-tts-old, else 1000.")
    ] = None,
    text_frontend: Annotated[
        Frontend | None, typer.Option(help="Base: official for the released checkpoints.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Vocoder: the config.json it was trained with.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Of the weights; kept in the manifest.")] = None,
) -> None:
    """Import an official Grad-TTS or HiFi-GAN checkpoint."""
    from voxgrad.cli.render import answer
    from voxgrad.steps.adopt import adopt_base, adopt_vocoder
    from voxgrad.store import Store
    from voxgrad.store.names import plain_name

    session: Session = context.obj
    store = Store.open(session.home)
    called = plain_name(file.stem) if name is None else name
    if kind is Kind.VOCODER:
        if config is None:
            raise BadInputError(
                "a HiFi-GAN needs its config", "Give --config config.json, which lies beside it."
            )
        adopted = adopt_vocoder(store, file, config, name=called, licence=licence)
    else:
        adopted = adopt_base(
            store,
            file,
            name=called,
            pe_scale=_scale(pe_scale),
            frontend=_frontend(text_frontend).value,
            licence=licence,
        )
    answer(
        session,
        {kind.value: adopted.ref, "digest": adopted.digest, "directory": str(adopted.directory)},
        f"{kind.value} {adopted.ref} from {file.name}",
    )


def _scale(given: int | None) -> Literal[1, 1000]:
    if given is None and sys.stdin.isatty():
        # On standard error, for --json keeps standard output for its one object.
        given = int(typer.prompt("pe_scale: 1 for grad-tts-old, else 1000", type=int, default=1000, err=True))
    if given == 1:
        return 1
    if given == 1000:
        return 1000
    raise BadInputError(
        "no shape tells the scale of the time embedding, and a wrong one sounds wrong",
        "Give --pe-scale 1000, or 1 for the oldest checkpoint (grad-tts-old).",
    )


def _frontend(given: Frontend | None) -> Frontend:
    said = given
    if said is None and sys.stdin.isatty():
        said = typer.prompt("text front end: official or voxgrad", default="official", err=True)
    if said not in set(Frontend):
        raise BadInputError(
            "no shape tells the text front end, and a wrong one sounds wrong",
            "Give --text-frontend official for the released checkpoints.",
        )
    return Frontend(said)
