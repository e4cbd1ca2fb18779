"""`voxgrad import`: archives, official checkpoints and exported voices into the store."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

import typer

from voxgrad.cli.prepare import Frontend
from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.store import Artifact, Store
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxgrad.store import Artifact

_HEAD = 512  # bytes that tell what a file is
_NOT_OF_ARCHIVES = frozenset({"kind", "pe_scale", "text_frontend", "config", "licence"})


class Kind(StrEnum):
    """What a checkpoint is."""

    BASE = "base"
    VOCODER = "vocoder"


def import_artifact(
    context: typer.Context,
    *,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A .voxgrad, .onnx, .pt, .pth, .ckpt or .safetensors file, or an exported folder."
        ),
    ],
    kind: Annotated[Kind | None, typer.Option(help="Checkpoint: base for Grad-TTS, vocoder for HiFi-GAN.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the artifact (default: from the archive, or the file's name).")
    ] = None,
    pe_scale: Annotated[int | None, typer.Option(metavar="1|1000", help="Base: 1 for grad-tts-old, else 1000.")] = None,
    text_frontend: Annotated[
        Frontend | None, typer.Option(help="Base: text front end; official for the released checkpoints.")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Vocoder: its config.json.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of a checkpoint; kept in the manifest.")] = None,
    limit: Annotated[
        float | None, typer.Option(min=0, metavar="GB", help="Archive: maximum unpacked size (default: 50).")
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="ONNX: accept a graph that voxgrad did not export.")] = False,
) -> None:
    """Import what `export` wrote, or an official checkpoint. Checkpoints are those of Grad-TTS and HiFi-GAN."""
    from voxgrad.cli.terminal import answer
    from voxgrad.store import Store
    from voxgrad.store.archive import is_archive

    session: Session = context.obj
    store = Store.open(session.home)
    _check_is_itself(file)
    if file.suffix == ".onnx":
        _check_options(context, _NOT_OF_ARCHIVES | {"limit"}, "a graph already contains this setting")
        _import_onnx(session, store, file, name, trust=trust)
        return
    if file.is_dir():
        _check_options(context, _NOT_OF_ARCHIVES | {"limit"}, "an exported folder already contains this setting")
        _import_folder(session, store, file, name)
        return
    if trust:
        raise BadInputError("--trust works only for ONNX files", "Leave it out.")
    if is_archive(file):
        _check_options(context, _NOT_OF_ARCHIVES, "an archive already contains this setting")
        _import_archive(session, store, file, name, limit)
        return
    _check_options(context, frozenset({"limit"}), "a checkpoint is never larger than its file")
    imported = _import_checkpoint(
        store,
        file,
        kind=kind,
        name=name,
        pe_scale=pe_scale,
        text_frontend=text_frontend,
        config=config,
        licence=licence,
    )
    answer(
        session,
        {imported.kind: imported.ref, "digest": imported.digest, "directory": str(imported.directory)},
        f"{imported} from {file.name}",
    )


def _import_onnx(session: Session, store: "Store", file: Path, name: str | None, *, trust: bool) -> None:
    from voxgrad.cli.terminal import answer, section
    from voxgrad.steps.onnx import import_onnx

    graph = import_onnx(store, file, name=name, trust=trust)
    answer(
        session,
        {graph.kind: graph.ref, "digest": graph.digest, "directory": str(graph.directory)},
        section(f"{graph} from {file.name}", terms(graph)),
    )


def _import_folder(session: Session, store: "Store", folder: Path, name: str | None) -> None:
    from voxgrad.cli.terminal import answer, section
    from voxgrad.steps.weights import import_weights
    from voxgrad.store.artifact import plain_name

    base = import_weights(store, folder, name=plain_name(folder.resolve().name) if name is None else name)
    answer(
        session,
        {base.kind: base.ref, "digest": base.digest, "directory": str(base.directory)},
        section(f"{base} from {folder.name}", terms(base)),
    )


def _import_archive(session: Session, store: "Store", file: Path, name: str | None, limit: float | None) -> None:
    from rich.console import Group

    from voxgrad.cli.terminal import Renderer, answer, section
    from voxgrad.store.archive import LIMIT, import_archive

    allowed = LIMIT if limit is None else int(limit * 1e9)
    with Renderer(session) as renderer:
        arrivals = import_archive(store, file, name=name, limit=allowed, emit=renderer.emit)
    sections = []
    for arrival in arrivals:
        note = "" if arrival.new else ", here already"
        called = "" if arrival.was == arrival.artifact.ref else f" (in the archive: {arrival.was})"
        sections.append(section(f"{arrival.artifact}{called}{note}", terms(arrival.artifact)))
    answer(
        session,
        {
            "artifacts": [
                {
                    "kind": arrival.artifact.kind,
                    "ref": arrival.artifact.ref,
                    "was": arrival.was,
                    "new": arrival.new,
                    "digest": arrival.artifact.digest,
                    "consent": arrival.artifact.manifest.consent,
                    "licence": arrival.artifact.manifest.licence,
                }
                for arrival in arrivals
            ]
        },
        Group(*sections),
    )


def _import_checkpoint(
    store: "Store",
    file: Path,
    *,
    kind: Kind | None,
    name: str | None,
    pe_scale: int | None,
    text_frontend: Frontend | None,
    config: Path | None,
    licence: str | None,
) -> "Artifact":
    from voxgrad.steps.import_checkpoint import import_base, import_vocoder
    from voxgrad.store.artifact import plain_name

    called = plain_name(file.stem) if name is None else name
    if kind is None:
        raise BadInputError("the kind of this checkpoint is unknown", "Give --kind base or --kind vocoder.")
    if kind is Kind.VOCODER:
        if config is None:
            raise BadInputError(
                "a HiFi-GAN needs its config", "Give --config config.json, which comes with the checkpoint."
            )
        return import_vocoder(store, file, config, name=called, licence=licence)
    return import_base(
        store, file, name=called, pe_scale=_scale(pe_scale), frontend=_frontend(text_frontend), licence=licence
    )


def _check_options(context: typer.Context, foreign: frozenset[str], reason: str) -> None:
    for parameter in context.command.params:
        if parameter.name in foreign and context.params[parameter.name] is not None:
            raise BadInputError(reason, f"Leave out {parameter.opts[0]}.")


def _check_is_itself(file: Path) -> None:
    """Refuse what is not there, and what is often downloaded in place of a file."""
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
    except FileNotFoundError as error:
        raise BadInputError(f"there is no {file}", "Give the path of a file or folder.") from error
    except OSError:
        return  # whoever reads all of it will say so
    if head.startswith(b"version https://git-lfs"):
        raise BadInputError(
            f"{file.name} is a Git LFS pointer, not the file itself", "Get the file with `git lfs pull`."
        )
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise BadInputError(f"{file.name} is a web page", "Download the file itself, not its web page.")


def _scale(given: int | None) -> Literal[1, 1000]:
    if given is None and sys.stdin.isatty():
        # On standard error, for --json keeps standard output for its one object.
        given = int(typer.prompt("pe_scale: 1 for grad-tts-old, else 1000", type=int, default=1000, err=True))
    if given == 1:
        return 1
    if given == 1000:
        return 1000
    raise BadInputError(
        "the weights do not show the scale of the time embedding, and a wrong scale gives wrong speech",
        "Give --pe-scale 1000, or 1 for the oldest checkpoint (grad-tts-old).",
    )


def _frontend(given: Frontend | None) -> Frontend:
    said = given
    if said is None and sys.stdin.isatty():
        said = typer.prompt("text front end: official or voxgrad", default="official", err=True)
    if said not in get_args(Frontend):
        raise BadInputError(
            "the weights do not show their text front end, and a wrong one gives wrong speech",
            "Give --text-frontend official for the released checkpoints.",
        )
    return cast("Frontend", said)


def terms(artifact: "Artifact") -> dict[str, str]:
    """What an artifact may be used for, as its manifest says."""
    manifest = artifact.manifest
    named = {"consent": manifest.consent, "licence": manifest.licence}
    return {name: "none recorded" if value is None else value for name, value in named.items()}
