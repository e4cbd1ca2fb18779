"""`voxgrad import` and `voxgrad export`: archives and official checkpoints into the store, artifacts out of it."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
        Path, typer.Argument(metavar="FILE", help="A .voxgrad, or a .pt, .pth, .ckpt or .safetensors file.")
    ],
    kind: Annotated[
        Kind | None, typer.Option(help="Checkpoint: a Grad-TTS is a base, a HiFi-GAN generator a vocoder.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Default: the archive's own, or the file's name.")] = None,
    pe_scale: Annotated[
        int | None, typer.Option(metavar="1|1000", help="Base: 1 for grad-tts-old, else 1000.")
    ] = None,
    text_frontend: Annotated[
        Frontend | None, typer.Option(help="Base: text front end; official for the released checkpoints.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Vocoder: the config.json it was trained with.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="Licence of a checkpoint; kept in the manifest.")
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option(min=0, metavar="GB", help="Archive: maximum unpacked size; default 50."),
    ] = None,
) -> None:
    """Import an archive that voxgrad exported, or an official Grad-TTS or HiFi-GAN checkpoint."""
    from voxgrad.cli.render import answer
    from voxgrad.store import Store
    from voxgrad.store.archive_reader import is_archive

    session: Session = context.obj
    store = Store.open(session.home)
    _check_is_itself(file)
    if is_archive(file):
        _check_options(context, _NOT_OF_ARCHIVES, "an archive says itself what it holds")
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


def _import_archive(
    session: Session, store: "Store", file: Path, name: str | None, limit: float | None
) -> None:
    from rich.console import Group

    from voxgrad.cli.render import Renderer, answer, section
    from voxgrad.store.archive import LIMIT, import_archive

    allowed = LIMIT if limit is None else int(limit * 1e9)
    with Renderer(session) as renderer:
        arrivals = import_archive(store, file, name=name, limit=allowed, emit=renderer.emit)
    sections = []
    for one in arrivals:
        note = "" if one.new else ", here already"
        called = "" if one.was == one.artifact.ref else f" (in the archive: {one.was})"
        sections.append(section(f"{one.artifact}{called}{note}", terms(one.artifact)))
    answer(
        session,
        {
            "artifacts": [
                {
                    "kind": one.artifact.kind,
                    "ref": one.artifact.ref,
                    "was": one.was,
                    "new": one.new,
                    "digest": one.artifact.digest,
                    "consent": one.artifact.manifest.consent,
                    "licence": one.artifact.manifest.licence,
                }
                for one in arrivals
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
    from voxgrad.store.layout import plain_name

    called = plain_name(file.stem) if name is None else name
    if kind is None:
        raise BadInputError(
            "the kind of a checkpoint cannot be sections from its name", "Give --kind base or --kind vocoder."
        )
    if kind is Kind.VOCODER:
        if config is None:
            raise BadInputError(
                "a HiFi-GAN needs its config", "Give --config config.json, which comes with the checkpoint."
            )
        return import_vocoder(store, file, config, name=called, licence=licence)
    return import_base(
        store,
        file,
        name=called,
        pe_scale=_scale(pe_scale),
        frontend=_frontend(text_frontend).value,
        licence=licence,
    )


def _check_options(context: typer.Context, foreign: frozenset[str], reason: str) -> None:
    for parameter in context.command.params:
        if parameter.name in foreign and context.params[parameter.name] is not None:
            raise BadInputError(reason, f"Leave out {parameter.opts[0]}.")


def _check_is_itself(file: Path) -> None:
    """Refuse what is often downloaded in place of a file."""
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
    except OSError:
        return  # whoever reads all of it will say so
    if head.startswith(b"version https://git-lfs"):
        raise BadInputError(
            f"{file.name} is a Git LFS pointer, not the file it stands for",
            "Get the file with `git lfs pull`.",
        )
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise BadInputError(
            f"{file.name} is a web page", "Download the file itself, not the page that offers it."
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
        "the weights do not tell the scale of the time embedding, and a wrong one gives wrong speech",
        "Give --pe-scale 1000, or 1 for the oldest checkpoint (grad-tts-old).",
    )


def _frontend(given: Frontend | None) -> Frontend:
    said = given
    if said is None and sys.stdin.isatty():
        said = typer.prompt("text front end: official or voxgrad", default="official", err=True)
    if said not in set(Frontend):
        raise BadInputError(
            "the weights do not tell the text front end, and a wrong one gives wrong speech",
            "Give --text-frontend official for the released checkpoints.",
        )
    return Frontend(said)


def export(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="Such as alice@v3 or voice/alice@v3.")],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Default: NAME-vN.voxgrad.")
    ] = None,
    with_parents: Annotated[
        bool, typer.Option("--with-parents", help="Include everything that it was made from.")
    ] = False,
) -> None:
    """Write an artifact into one file, with its consent and licence."""
    from voxgrad.cli.render import Renderer, answer, section, size
    from voxgrad.store import Artifact, Lineage, Store
    from voxgrad.store.archive import SUFFIX
    from voxgrad.store.archive import export as write

    session: Session = context.obj
    store = Store.open(session.home)
    artifact = store.find(ref)
    ancestors = Lineage.of(store).ancestors(artifact) if with_parents else ()
    for one in ancestors:
        if not isinstance(one, Artifact):
            raise one.error
    parents = [one for one in reversed(ancestors) if isinstance(one, Artifact)]
    target = Path(f"{artifact.name}-v{artifact.version}{SUFFIX}") if output is None else output
    if target.is_dir() or not target.parent.is_dir():
        raise BadInputError(f"{target} cannot be written as a file", "Name a file in an existing folder.")
    with Renderer(session) as renderer:
        write([artifact, *parents], target, renderer.emit)
    manifest = artifact.manifest
    answer(
        session,
        {
            "file": str(target),
            "artifacts": [str(one) for one in (artifact, *parents)],
            "digest": artifact.digest,
            "size": target.stat().st_size,
            "consent": manifest.consent,
            "licence": manifest.licence,
        },
        section(
            f"{target}, {size(target.stat().st_size)}",
            {
                "holds": ", ".join(str(one) for one in (artifact, *parents)),
                **terms(artifact),
            },
        ),
    )


def terms(artifact: "Artifact") -> dict[str, str]:
    """What an artifact may be used for, as its manifest says."""
    manifest = artifact.manifest
    named = {"consent": manifest.consent, "licence": manifest.licence}
    return {name: "none recorded" if value is None else value for name, value in named.items()}
