"""`voxgrad evaluate` and `voxgrad card`: how good a voice is, and what fine-tuning changed."""

import math
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.shared_options import Session, Vocoder, takes
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from rich.table import Table

    from voxgrad.events import Emit
    from voxgrad.settings import SynthesisSpec
    from voxgrad.store import Artifact, Store


@takes(synthesis="voxgrad.settings.SynthesisSpec")
def evaluate(
    context: typer.Context,
    *,
    voice: Annotated[
        str | None, typer.Argument(metavar="REF", help="Voice or base (default: the newest voice, or else base).")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="REF", help="Dataset (default: the one that the voice was trained on).")
    ] = None,
    speaker: Annotated[str | None, typer.Option(metavar="NAME", help="Speaker, if the dataset has several.")] = None,
    clips: Annotated[int, typer.Option(min=1, metavar="N", help="Maximum number of sentences.")] = 60,
    vocoder: Vocoder = None,
    synthesis: "SynthesisSpec",
    seed: Annotated[int, typer.Option(min=0, max=2**62, metavar="N", help="Random seed of the first clip.")] = 0,
) -> None:
    """Evaluate a voice on recordings that it was not trained on."""
    session: Session = context.obj
    session.loading()
    from voxgrad.cli.terminal import Renderer
    from voxgrad.steps.evaluate import Trial
    from voxgrad.steps.evaluate import evaluate as step
    from voxgrad.store import Store
    from voxgrad.vocoder.choice import choose_vocoder, mel_of
    from voxgrad.voice.load import find_voice

    trial = Trial(clips, speaker, synthesis, seed)
    store = Store.open(session.home)
    found = find_voice(store, voice)
    dataset = store.find(data, "dataset") if data is not None else _own(store, found)
    with Renderer(session) as renderer:
        chosen = choose_vocoder(store, vocoder, mel_of(found), renderer.emit)
        made = step(store, found, dataset, chosen, trial=trial, emit=renderer.emit)
    _answer(session, made)


def _answer(session: Session, made: "Artifact") -> None:
    from voxgrad.cli.terminal import answer

    parents = {role: parent.ref for role, parent in made.manifest.parents.items()}
    answer(
        session,
        {
            "evaluation": made.ref,
            "digest": made.digest,
            "directory": str(made.directory),
            "parents": parents,
            "metrics": made.manifest.metrics,
        },
        table(made) if not session.json else "",
    )


def table(made: "Artifact") -> "Table":
    """An evaluation as a table that can be read at 80 columns."""
    from rich.table import Table

    from voxgrad.evaluation.summary import COLUMNS, lines

    parents = {role: parent.ref for role, parent in made.manifest.parents.items()}
    metrics = made.manifest.metrics
    shown = Table(
        box=None,
        padding=(0, 2, 0, 0),
        header_style="bold",
        title=f"{parents['voice']} on {metrics['clips']} clips of {parents['dataset']}",
        title_justify="left",
        caption=str(made.directory),
        caption_justify="left",
    )
    for heading in ("", "", *COLUMNS):
        shown.add_column(heading.replace("_", " "), justify="right" if heading else "left")
    for title, unit, figures in lines({column: metrics.get(column, {}) for column in COLUMNS}):
        shown.add_row(title, unit, *figures)
    return shown


def _own(store: "Store", voice: "Artifact") -> "Artifact":
    """The dataset that a voice learnt from."""
    parent = voice.manifest.parents.get("dataset")
    if parent is None:
        raise BadInputError(f"{voice.ref} does not record its training data", "Choose a dataset with --data.")
    try:
        return store.find(f"@sha256:{parent.digest}", "dataset")
    except BadInputError as error:
        message = f"the dataset {parent.ref} that {voice.ref} was trained on is not in this store"
        raise BadInputError(message, "Choose another dataset with --data.") from error


def card(
    context: typer.Context,
    voice: Annotated[str | None, typer.Argument(metavar="REF", help="Voice (default: the newest).")] = None,
) -> None:
    """Compare a voice with its base on one HTML page. An existing page is reused."""
    session: Session = context.obj
    session.loading()
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.store import Store

    store = Store.open(session.home)
    with Renderer(session) as renderer:
        made = _make_card(store, store.find(voice, "voice"), renderer.emit)
    metrics = made.manifest.metrics
    page = str(made.directory / "card.html")
    answer(session, {"card": made.ref, "page": page, "metrics": metrics}, f"{metrics['verdict']}\n  card: {page}")


def card_or_none(store: "Store", voice: "Artifact", emit: "Emit", deadline: float = math.inf) -> str | None:
    """The page of a voice that is safe already; a failure of it, or Ctrl-C, is only reported.

    Raises:
        Terminated: the process was asked to end; the same command, given again, makes the page.
    """
    from voxgrad.cli.main import Terminated
    from voxgrad.errors import VoxgradError
    from voxgrad.events import Said

    again = f"write it with: voxgrad card {voice.ref}"
    try:
        return str(_make_card(store, voice, emit, deadline).directory / "card.html")
    except VoxgradError as error:
        emit(Said(f"no card: {error.message}; {again}", "warning"))
    except Terminated:
        raise
    except KeyboardInterrupt:
        emit(Said(f"no card: interrupted; {again}", "warning"))
    return None


def _make_card(store: "Store", voice: "Artifact", emit: "Emit", deadline: float = math.inf) -> "Artifact":
    from voxgrad.steps.card import card as step
    from voxgrad.vocoder.choice import choose_vocoder, mel_of

    base = store.find(f"@sha256:{voice.parent('base').digest}")
    dataset = store.find(f"@sha256:{voice.parent('dataset').digest}", "dataset")
    vocoder = choose_vocoder(store, None, mel_of(voice), emit)
    return step(store, voice, base, dataset, vocoder, emit, deadline)
