"""`voxgrad finetune`, `pretrain`, `vocoder train` and `runs`; `evaluate` and `card`: how good a voice is."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import typer

from voxgrad.cli.shared_options import RANK, SHARED, PresetName, Session, Vocoder, command
from voxgrad.cli.terminal import duration, identity, size, table, use_of
from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.events import Emit, Said

if TYPE_CHECKING:
    from rich.table import Table

    from voxgrad.settings import Preset, SynthesisSpec, TrainingOptions, VocoderPreset
    from voxgrad.store import Artifact, Store
    from voxgrad.training.run import RunInProgress, RunOptions, RunRecord

Settings = TypeVar("Settings", "Preset", "VocoderPreset")
RunId = Annotated[str | None, typer.Argument(metavar="RUN", help="With --resume: a run from `voxgrad runs`.")]
Speaker = Annotated[str | None, typer.Option(metavar="NAME", help="Speaker, if the dataset has several.")]

_BESIDE_RESUME = SHARED | {"resume", "run", "tensorboard", "no_card"}


@command()
def runs(session: Session) -> None:
    """List training runs that are in progress or interrupted."""
    from voxgrad.training.run import unfinished

    unfinished_runs = unfinished(session.store)
    session.answer(
        {"home": str(session.store.home), "runs": [_described(run) for run in unfinished_runs]},
        runs_table(unfinished_runs) if unfinished_runs else f"No run in progress in {session.store.home}",
        f"{unfinished_runs[-1].record.step} --resume {unfinished_runs[-1].id}" if unfinished_runs else None,
    )


def _described(run: "RunInProgress") -> dict[str, Any]:
    record = run.record
    return {
        "run": run.id,
        "command": record.step,
        **{name: getattr(record, name) for name in ("kind", "name", "started", "resume")},
        "parents": {role: parent.ref for role, parent in record.parents.items()},
        "directory": str(run.directory),
        **run.progress(),
    }


def runs_table(unfinished_runs: "Sequence[RunInProgress]") -> "Table":
    """Runs as lines of a table that can be read at 80 columns."""
    lines = table("run", "command", "stage", "step", "losses", "saved", "size", no_wrap={"saved", "size"})
    for run in unfinished_runs:
        progress = run.progress()
        age = progress["checkpoint_age"]
        lines.add_row(
            run.id,
            run.record.step,
            progress["stage"].replace("+", " "),
            str(progress["step"]) if progress["steps"] is None else f"{progress['step']} of {progress['steps']}",
            " ".join(f"{name} {value:.3g}" for name, value in progress["losses"].items()),
            "never" if age is None else f"{duration(age)} ago",
            size(progress["size"]),
        )
    return lines


@dataclass(frozen=True)
class Run(Generic[Settings]):
    """A training run to start or resume."""

    record: "RunRecord | None"
    """Of the run that is resumed; None: it is a new one."""
    settings: Settings
    """The preset, with what was changed in it."""
    dataset: "Artifact"
    name: str
    """Of its result."""
    how: "RunOptions"
    others: "tuple[Artifact, ...]" = ()
    """Datasets beside the first."""

    def parent(self, session: Session, role: str, wanted: str | None, kind: str) -> "Artifact":
        """The artifact that the run starts from, besides the dataset; a resumed run gets the same one.

        Raises:
            BadInputError: there is none.
        """
        if self.record is None:
            return session.store.find(wanted, kind)
        return session.store.origin(self.record.parents[role], kind)


def begin_or_resume(
    session: Session, step: str, run: str | None, training: "TrainingOptions", spec: type[Settings], preset: str
) -> Run[Settings]:
    """The run that the options of the training command ``step`` mean; ``run`` is the id of one that is resumed.

    Raises:
        BadInputError: no such run, settings beside --resume, or a run without it.
    """
    from voxgrad.presets import load_settings
    from voxgrad.steps.train import PRETRAIN
    from voxgrad.training.run import RunOptions, find_run, parse_budget

    seconds = None if training.budget is None else parse_budget(training.budget)
    how = RunOptions(budget=seconds, started=session.started, tensorboard=training.tensorboard)
    if training.resume:
        beside = next((option for name, option in session.given.items() if name not in _BESIDE_RESUME), None)
        if beside is not None:
            raise BadInputError(
                f"--resume takes all settings from the run, so {beside} cannot be used", "Remove one of them."
            )
        record = find_run(session.store, step, run).record
        dataset, *others = (
            session.store.origin(parent, "dataset")
            for role, parent in record.parents.items()
            if role.partition("-")[0] == "dataset"
        )
        settings = spec.model_validate(record.settings)
        return Run(record, settings, dataset, record.name, replace(how, budget=record.budget), tuple(others))
    if run is not None:
        raise BadInputError(
            f"{run!r} was named without --resume",
            f"Write --resume {run} to continue it, or leave {run} out to start a new run.",
        )
    wanted = [None] if training.data is None else training.data.split(",")
    if len(wanted) > 1 and step != PRETRAIN:
        raise BadInputError(f"`{step}` learns from one dataset", "Name one, or prepare all recordings together.")
    dataset, *others = (session.store.find(ref, "dataset") for ref in wanted)
    name = dataset.name if training.name is None else training.name
    return Run(None, load_settings(spec, preset, training.overrides), dataset, name, how, tuple(others))


@command(training="voxgrad.settings.TrainingOptions")
def finetune(
    session: Session,
    *,
    run: RunId = None,
    base: Annotated[str | None, typer.Option(metavar="REF", help="Base to start from (default: the newest).")] = None,
    preset: PresetName = "fast",
    speaker: Speaker = None,
    training: "TrainingOptions",
    no_card: Annotated[
        bool, typer.Option("--no-card", help="Do not write the card that compares base and voice.")
    ] = False,
) -> None:
    """Fine-tune a base to a speaker. After an interruption, the same command resumes from the last checkpoint."""
    session.loading()
    from voxgrad.settings import Preset
    from voxgrad.steps.train import FINETUNE
    from voxgrad.steps.train import finetune as step
    from voxgrad.training.run import with_time_for_card

    if any(override.partition("=")[0].partition(".")[0] == "model" for override in training.overrides):
        raise BadInputError("a voice keeps the model of its base", "Remove --set model, or pretrain a base.")
    begun = begin_or_resume(session, FINETUNE, run, training, Preset, preset)
    start = begun.parent(session, "base", base, "base")
    if begun.record is not None:
        (speaker,) = begun.record.options["speakers"]
    how = begun.how if no_card else with_time_for_card(begun.how)
    with session.progress() as progress:
        voice = step(
            session.store,
            begun.dataset,
            start,
            name=begun.name,
            speaker=speaker,
            preset=begun.settings,
            emit=progress.emit,
            options=how,
        )
        made = None if no_card or RANK else card_or_none(session.store, voice, progress.emit, how.end)
    page = None if made is None else str(made.directory / "card.html")
    told = summary(voice) if made is None else f"{card_summary(made)}\n\n{summary(voice)}"
    judged = {} if made is None else {"verdicts": judged_by(made)}
    session.answer({**described(voice), "card": page, **judged}, told, use_of(voice))


@command(training="voxgrad.settings.TrainingOptions")
def pretrain(
    session: Session,
    *,
    run: RunId = None,
    base: Annotated[
        str | None, typer.Option(metavar="REF", help="Teach this base the languages of the datasets (REF,REF,…).")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="REF", help="With --base: languages to go on from.")
    ] = None,
    preset: PresetName = "base-small",
    training: "TrainingOptions",
) -> None:
    """Train a base from scratch. After an interruption, the same command resumes from the last checkpoint."""
    session.loading()
    from voxgrad.settings import Preset
    from voxgrad.steps.train import PRETRAIN, teach
    from voxgrad.steps.train import pretrain as step

    begun = begin_or_resume(session, PRETRAIN, run, training, Preset, preset)
    settings: dict[str, Any] = {"name": begun.name, "preset": begun.settings, "options": begun.how}
    with session.progress() as progress:
        datasets = [begun.dataset, *begun.others]
        if base is not None or (begun.record is not None and "base" in begun.record.parents):
            english = begun.parent(session, "base", base, "base")
            known = begun.record.parents if begun.record is not None else {"start": start} if start is not None else {}
            before = begun.parent(session, "start", start, "language") if "start" in known else None
            made = teach(session.store, datasets, english, before, emit=progress.emit, **settings)
        else:
            made = step(session.store, datasets, emit=progress.emit, **settings)
    session.answer(described(made), summary(made), f"finetune --base {made.name}" if made.kind == "base" else None)


@command(training="voxgrad.settings.TrainingOptions")
def train_vocoder(
    session: Session,
    *,
    run: RunId = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="REF", help="Vocoder to start from (default: from scratch).")
    ] = None,
    preset: PresetName = "vocoder",
    half: Annotated[bool, typer.Option("--half", help="Store the weights in half precision.")] = False,
    training: "TrainingOptions",
) -> None:
    """Train a vocoder. After an interruption, the same command resumes from the last checkpoint."""
    session.loading()
    from voxgrad.settings import VocoderPreset
    from voxgrad.steps.train import TRAIN_VOCODER
    from voxgrad.steps.train import train_vocoder as step

    begun = begin_or_resume(session, TRAIN_VOCODER, run, training, VocoderPreset, preset)
    record = begun.record
    begins = start is not None if record is None else "start" in record.parents
    with session.progress() as progress:
        made = step(
            session.store,
            begun.dataset,
            begun.parent(session, "start", start, "vocoder") if begins else None,
            name=begun.name,
            preset=begun.settings,
            half=half if record is None else record.options["half_precision"],
            emit=progress.emit,
            options=begun.how,
        )
    session.answer(described(made), summary(made), use_of(made))


def described(trained: "Artifact") -> dict[str, Any]:
    """The result of training or an evaluation, for --json."""
    return {**identity(trained), "parents": trained.parent_refs, "metrics": trained.manifest.metrics}


def summary(trained: "Artifact") -> str:
    """The result of training, in a few lines."""
    metrics = trained.manifest.metrics
    vocoder = trained.kind == "vocoder"
    figures = (
        f"{key} distance {value:.3f}" if vocoder else f"{key.replace('_', ' ')} {value:.3f}"
        for key, value in metrics["held_out"].items()
    )
    parents = " and ".join(trained.parent_refs.values())
    held_out = metrics.get("held_out_clips", 1)
    judged_on = "held-out clips" if held_out else "its training data (nothing could be held out)"
    on = f"{'copies of' if vocoder else 'on'} {judged_on}: {', '.join(figures)}"
    lines = [
        f"{trained.kind} {trained.ref} from {parents}: {metrics['steps']} steps in {duration(metrics['seconds'])}",
        textwrap.fill(on, 79, initial_indent="  ", subsequent_indent="    "),
    ]
    if "before" in metrics:
        judge = metrics["judged_by"]
        before, after = metrics["before"][judge], metrics["held_out"][judge]
        verdict = "fine-tuning helped" if after < before else "fine-tuning did not help"
        lines.append(f"  {verdict}: {judge.replace('_', ' ')} was {before:.3f}, now {after:.3f}")
    if vocoder:
        return "\n".join([*lines, f"  picture: {trained.directory / 'curves.svg'}"])
    pictures = (trained.directory / name for name in ("curves.svg", "alignment.svg"))
    return "\n".join([*lines, "  pictures: {}\n            {}".format(*pictures)])


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
    speaker: Speaker = None,
    clips: Annotated[int, typer.Option(min=1, metavar="N", help="Maximum number of sentences.")] = 60,
    vocoder: Vocoder = None,
    synthesis: "SynthesisSpec",
    seed: Annotated[int, typer.Option(min=0, max=2**62, metavar="N", help="Random seed of the first clip.")] = 0,
) -> None:
    """Evaluate a voice on recordings that it was not trained on."""
    session.loading()
    from rich.console import Group

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
    about = {**described(made), "verdicts": judged_by(made)}
    then = f"card {artifact.ref}" if artifact.kind == "voice" else use_of(artifact)
    session.answer(about, "" if session.json else Group(verdict_lines(made), "", evaluation_table(made)), then)


def judged_by(made: "Artifact") -> list[str]:
    """The verdicts of a card or an evaluation."""
    from voxgrad.evaluation.verdicts import verdicts
    from voxgrad.preparation.consent import is_own

    return verdicts(made.manifest.metrics, to_speaker=is_own(made.manifest.consent))


def verdict_lines(made: "Artifact") -> str:
    """The same, at 80 columns."""
    return "\n".join(textwrap.fill(sentence, 79, subsequent_indent="  ") for sentence in judged_by(made))


def evaluation_table(made: "Artifact") -> "Table":
    """The details of an evaluation as a table that can be read at 80 columns."""
    from voxgrad.evaluation.clips import COLUMNS, lines

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

    artifact = session.store.find(voice, "voice")
    with session.progress() as progress:
        made = step(session.store, artifact, progress.emit)
    page = str(made.directory / "card.html")
    about = {"card": made.ref, "page": page, "verdicts": judged_by(made), "metrics": made.manifest.metrics}
    told = f"{card_summary(made)}\n\n{textwrap.fill(made.manifest.metrics['verdict'], 79)}"
    session.answer(about, told, use_of(artifact))


def card_summary(made: "Artifact") -> str:
    """The verdicts of a card, and where it is."""
    return f"{verdict_lines(made)}\n  card: {made.directory / 'card.html'}"


def card_or_none(store: "Store", voice: "Artifact", emit: "Emit", deadline: float = math.inf) -> "Artifact | None":
    """The card of a published voice; a failure of it, or Ctrl-C, is only reported.

    Raises:
        Terminated: the process was asked to end; the same command, given again, makes the page.
    """
    from voxgrad.cli.main import Terminated
    from voxgrad.steps.evaluate import card

    again = f"write it with: voxgrad card {voice.ref}"
    try:
        return card(store, voice, emit, deadline)
    except VoxgradError as error:
        emit(Said(f"no card: {error.message}; {again}", "warning"))
    except Terminated:
        raise
    except KeyboardInterrupt:
        emit(Said(f"no card: interrupted; {again}", "warning"))
    return None
