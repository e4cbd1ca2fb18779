"""`voxgrad evaluate` and `voxgrad card`: how good a voice is, and what fine-tuning changed."""

import math
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.shared_options import Session, Vocoder, command
from voxgrad.errors import BadInputError, VoxgradError

if TYPE_CHECKING:
    from rich.table import Table

    from voxgrad.events import Emit
    from voxgrad.settings import SynthesisSpec
    from voxgrad.store import Artifact, Store


@command(synthesis="voxgrad.settings.SynthesisSpec")
def evaluate(
    session: Session,
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
    session.loading()
    from voxgrad.cli.terminal import identity
    from voxgrad.steps.evaluate import Trial
    from voxgrad.steps.evaluate import evaluate as step
    from voxgrad.vocoder.choice import choose_vocoder, mel_of
    from voxgrad.voice.load import find_voice

    trial = Trial(clips, speaker, synthesis, seed)
    artifact = find_voice(session.store, voice)
    dataset = session.store.find(data, "dataset") if data is not None else _own(session.store, artifact)
    with session.progress() as progress:
        chosen = choose_vocoder(session.store, vocoder, mel_of(artifact), progress.emit)
        made = step(session.store, artifact, dataset, chosen, trial=trial, emit=progress.emit)
    about = {**identity(made), "parents": made.parent_refs, "metrics": made.manifest.metrics}
    session.answer(about, "" if session.json else evaluation_table(made))


def evaluation_table(made: "Artifact") -> "Table":
    """An evaluation as a table that can be read at 80 columns."""
    from voxgrad.cli.terminal import table
    from voxgrad.evaluation.summary import COLUMNS, lines

    parents, metrics = made.parent_refs, made.manifest.metrics
    columns = [column.replace("_", " ") for column in COLUMNS]
    shown = table("", "", *columns, right=columns)
    shown.title, shown.title_justify = f"{parents['voice']} on {metrics['clips']} clips of {parents['dataset']}", "left"
    shown.caption, shown.caption_justify = str(made.directory), "left"
    for title, unit, figures in lines({column: metrics.get(column, {}) for column in COLUMNS}):
        shown.add_row(title, unit, *figures)
    return shown


def _own(store: "Store", voice: "Artifact") -> "Artifact":
    parent = voice.manifest.parents.get("dataset")
    if parent is None:
        raise BadInputError(f"{voice.ref} does not record its training data", "Choose a dataset with --data.")
    try:
        return store.origin(parent, "dataset")
    except BadInputError as error:
        message = f"the dataset {parent.ref} that {voice.ref} was trained on is not in this store"
        raise BadInputError(message, "Choose another dataset with --data.") from error


@command()
def card(
    session: Session,
    voice: Annotated[str | None, typer.Argument(metavar="REF", help="Voice (default: the newest).")] = None,
) -> None:
    """Compare a voice with its base on one HTML page. An existing page is reused."""
    session.loading()
    from voxgrad.steps.evaluate import card as step

    with session.progress() as progress:
        made = step(session.store, session.store.find(voice, "voice"), progress.emit)
    metrics = made.manifest.metrics
    page = str(made.directory / "card.html")
    session.answer({"card": made.ref, "page": page, "metrics": metrics}, f"{metrics['verdict']}\n  card: {page}")


def card_or_none(store: "Store", voice: "Artifact", emit: "Emit", deadline: float = math.inf) -> str | None:
    """The page of a voice that is safe already; a failure of it, or Ctrl-C, is only reported.

    Raises:
        Terminated: the process was asked to end; the same command, given again, makes the page.
    """
    from voxgrad.cli.main import Terminated
    from voxgrad.events import Said
    from voxgrad.steps.evaluate import card

    again = f"write it with: voxgrad card {voice.ref}"
    try:
        return str(card(store, voice, emit, deadline).directory / "card.html")
    except VoxgradError as error:
        emit(Said(f"no card: {error.message}; {again}", "warning"))
    except Terminated:
        raise
    except KeyboardInterrupt:
        emit(Said(f"no card: interrupted; {again}", "warning"))
    return None
