"""`voxgrad prepare`: recordings and texts become a dataset."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from voxgrad.cli.session import Session


class Frontend(StrEnum):
    """How written English becomes tokens."""

    VOXGRAD = "voxgrad"
    OFFICIAL = "official"


def prepare(
    context: typer.Context,
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that holds the recordings.")],
    name: Annotated[str | None, typer.Option(help="Of the dataset; default: the folder's name.")] = None,
    transcripts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Lines of name|text, path|text or path|text|speaker."),
    ] = None,
    text_frontend: Annotated[
        Frontend, typer.Option(help="As the base that will learn from it.")
    ] = Frontend.VOXGRAD,
    lexicon: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pronunciations: lines of `word  PHONES`.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse words that no dictionary has.")] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; default: as many as pay.")
    ] = None,
) -> None:
    """Make a dataset of a folder of recordings."""
    from voxgrad.cli.render import Renderer, answer, duration
    from voxgrad.specs import AudioSpec, TextSpec
    from voxgrad.steps.prepare import prepare as step
    from voxgrad.store import Store
    from voxgrad.store.names import plain_name

    session: Session = context.obj
    whole = folder.resolve()  # "." and ".." have names too
    called = whole.parent.name if whole.name == "wavs" and name is None else whole.name
    with Renderer(session) as renderer:
        dataset = step(
            Store.open(session.home),
            folder,
            name=plain_name(called) if name is None else name,
            transcripts=transcripts,
            audio=AudioSpec(),
            text=TextSpec(frontend=text_frontend.value),
            lexicon=lexicon,
            strict=strict,
            jobs=jobs,
            emit=renderer.emit,
        )
    metrics = dataset.manifest.metrics
    rejected = f", {metrics['rejected']} left out" if metrics["rejected"] else ""
    answer(
        session,
        {"dataset": dataset.ref, "digest": dataset.digest, "directory": str(dataset.directory), **metrics},
        f"dataset {dataset.ref}: {metrics['clips']} clips, {duration(metrics['seconds'])}{rejected}\n"
        f"  picture: {dataset.directory / 'mel.png'}",
    )
