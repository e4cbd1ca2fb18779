"""`voxgrad align`: alignments become Praat TextGrids."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.store import Artifact, Store

_MODELS = ("voice", "base")


def align(
    context: typer.Context,
    *,
    source: Annotated[
        str, typer.Argument(metavar="REF", help="A dataset; or a voice or base, for its stored alignments.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="The output folder, new or empty.")
    ],
    voice: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="The voice or base that aligns a dataset; default: the newest voice, else base.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace TextGrids that are already in DIR.")
    ] = False,
) -> None:
    """Write the start and end of every word and phone as TextGrids for Praat."""
    session: Session = context.obj
    session.loading()
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.steps.align import align as search
    from voxgrad.steps.align import stored_alignments
    from voxgrad.store import Store

    store = Store.open(session.home)
    found = _find(store, source, ("dataset", *_MODELS))
    if found.kind == "dataset":
        newest = "voice" if store.list("voice") else "base"
        model = store.find(None, newest) if voice is None else _find(store, voice, _MODELS)
        with Renderer(session) as renderer:
            written = search(found, model, output, force=force, emit=renderer.emit)
    elif voice is not None:
        raise BadInputError(
            f"{found.kind} {found.ref} is not a dataset, so --voice does not apply", "Leave out --voice."
        )
    else:
        model = found
        with Renderer(session) as renderer:
            written = stored_alignments(store, found, output, force=force, emit=renderer.emit)
    answer(
        session,
        {
            "directory": str(written.folder),
            "files": written.files,
            "source": found.ref,
            model.kind: model.ref,
            "log_likelihood": written.log_likelihood,
        },
        f"{written.folder}: {written.files} TextGrids of {found.ref} by {model.kind} {model.ref}, "
        f"log-likelihood {written.log_likelihood:.1f} a frame",
    )


def _find(store: "Store", ref: str, kinds: tuple[str, ...]) -> "Artifact":
    """What a reference names; where several are called so, the first of ``kinds``."""
    from voxgrad.store.artifact import Reference

    named = Reference.parse(ref)
    kind = named.kind
    if kind is None and named.digest is None:
        # A voice has the name of its dataset by default, and so is its speech.
        there = {one.kind for one in store.scan() if one.name == named.name}
        kind = next((one for one in kinds if one in there), min(there, default=kinds[0]))
    found = store.find(ref, kind)
    if found.kind not in kinds:
        raise BadInputError(f"{ref} is a {found.kind}", f"Name a {' or a '.join(kinds)}.")
    return found
