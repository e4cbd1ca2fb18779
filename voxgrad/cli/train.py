"""`voxgrad finetune`, `pretrain` and `runs`; and the options that all training commands share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import typer

from voxgrad.cli.evaluate import card_or_none
from voxgrad.cli.shared_options import RANK, SHARED, Session, takes
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from rich.table import Table

    from voxgrad.settings import Preset, TrainingOptions, VocoderPreset
    from voxgrad.store import Artifact, Store
    from voxgrad.training.run import RunInProgress, RunOptions, RunRecord

Settings = TypeVar("Settings", "Preset", "VocoderPreset")
RunId = Annotated[str | None, typer.Argument(metavar="RUN", help="With --resume: a run from `voxgrad runs`.")]
PresetName = Annotated[str, typer.Option(metavar="P", help="Name of a preset, or a YAML file.")]

_BESIDE_RESUME = frozenset({"resume", "run", "tensorboard", "no_card"})


def runs(context: typer.Context) -> None:
    """List training runs that are in progress or interrupted."""
    from voxgrad.cli.terminal import answer
    from voxgrad.store import Store
    from voxgrad.training.run import unfinished

    session: Session = context.obj
    store = Store.open(session.home)
    found = unfinished(store)
    answer(
        session,
        {"home": str(store.home), "runs": [_run_described(run) for run in found]},
        runs_table(found) if found else f"No run in progress in {store.home}",
    )


def runs_table(found: "Sequence[RunInProgress]") -> "Table":
    """Runs as lines of a runs_table that can be read at 80 columns."""
    from rich.table import Table

    from voxgrad.cli.terminal import duration, size

    lines = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("run", "command", "stage", "step", "losses", "saved", "size"):
        lines.add_column(heading, overflow="fold", no_wrap=heading in {"saved", "size"})
    for run in found:
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
    """A training run that is about to begin or to go on.

    Attributes:
        store: of its artifacts.
        record: of the run that is resumed; None: it is a new one.
        settings: the preset, with what was changed in it.
        dataset: that it learns from.
        name: of its result.
        how: budget and the like.
    """

    store: "Store"
    record: "RunRecord | None"
    settings: Settings
    dataset: "Artifact"
    name: str
    how: "RunOptions"

    def parent(self, role: str, wanted: str | None, kind: str) -> "Artifact":
        """What the run begins with, apart from the dataset.

        Raises:
            BadInputError: there is none.
        """
        if self.record is None:
            return self.store.find(wanted, kind)
        return parent(self.store, self.record, role)


def begin_or_resume(
    context: typer.Context,
    step: str,
    run_id: str | None,
    training: "TrainingOptions",
    spec: type[Settings],
    preset: str,
) -> Run[Settings]:
    """The run that the options of a training command mean.

    Args:
        context: of the command.
        step: the command's name.
        run_id: of the run that is resumed.
        training: the shared options.
        spec: of the preset.
        preset: its name or file.

    Raises:
        BadInputError: no such run, settings beside --resume, or a run without it.
    """
    from voxgrad.presets import load_settings
    from voxgrad.store import Store
    from voxgrad.training.run import RunOptions
    from voxgrad.training.time_budget import parse_budget

    session: Session = context.obj
    store = Store.open(session.home)
    seconds = None if training.budget is None else parse_budget(training.budget)
    how = RunOptions(budget=seconds, started=session.started, tensorboard=training.tensorboard)
    if training.resume:
        record = resumed(context, store, step, run_id)
        settings, dataset = spec.model_validate(record.settings), parent(store, record, "dataset")
        return Run(store, record, settings, dataset, record.name, replace(how, budget=record.budget))
    if run_id is not None:
        raise BadInputError(
            f"{run_id!r} was named without --resume", f"Write --resume {run_id}, or leave it out to start a new run."
        )
    settings, dataset = load_settings(spec, preset, training.overrides), store.find(training.data, "dataset")
    return Run(store, None, settings, dataset, dataset.name if training.name is None else training.name, how)


def resumed(context: typer.Context, store: "Store", step: str, run_id: str | None) -> "RunRecord":
    """The record of the run that --resume means.

    Raises:
        BadInputError: no such run, or settings were given beside --resume.
    """
    from voxgrad.training.run import find_run

    for parameter in context.command.get_params(context):
        name = str(parameter.name)
        if name in _BESIDE_RESUME | SHARED:
            continue
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise BadInputError(
                f"--resume takes all settings from the run, so {parameter.opts[0]} cannot be used",
                "Remove one of them.",
            )
    return find_run(store, step, run_id).record


def parent(store: "Store", record: "RunRecord", role: str) -> "Artifact":
    """The very artifact that a run was begun with.

    Raises:
        BadInputError: it is no longer there.
    """
    return store.find(f"@sha256:{record.parents[role].digest}")


def _run_described(run: "RunInProgress") -> dict[str, Any]:
    record = run.record
    return {
        "run": run.id,
        "command": record.step,
        "kind": record.kind,
        "name": record.name,
        "started": record.started,
        "parents": {role: parent.ref for role, parent in record.parents.items()},
        "directory": str(run.directory),
        "resume": record.resume,
        **run.progress(),
    }


@takes(training="voxgrad.settings.TrainingOptions")
def finetune(
    context: typer.Context,
    *,
    run: RunId = None,
    base: Annotated[str | None, typer.Option(metavar="REF", help="Base to start from (default: the newest).")] = None,
    preset: PresetName = "fast",
    speaker: Annotated[str | None, typer.Option(metavar="NAME", help="Speaker, if the dataset has several.")] = None,
    training: "TrainingOptions",
    no_card: Annotated[
        bool, typer.Option("--no-card", help="Do not write the card that compares base and voice.")
    ] = False,
) -> None:
    """Fine-tune a base to a speaker. After an interruption, the same command resumes from the last checkpoint."""
    session: Session = context.obj
    session.loading()
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.settings import Preset
    from voxgrad.steps.finetune import STEP
    from voxgrad.steps.finetune import finetune as step
    from voxgrad.training.run import with_time_for_card

    _keeps_the_model(training.overrides)
    begun = begin_or_resume(context, STEP, run, training, Preset, preset)
    start = begun.parent("base", base, "base")
    if begun.record is not None:
        (speaker,) = begun.record.options["speakers"]
    how = begun.how if no_card else with_time_for_card(begun.how)
    with Renderer(session) as renderer:
        voice = step(
            begun.store,
            begun.dataset,
            start,
            name=begun.name,
            speaker=speaker,
            preset=begun.settings,
            emit=renderer.emit,
            options=how,
        )
        page = None if no_card or RANK else card_or_none(begun.store, voice, renderer.emit, how.end)
    shown = "" if page is None else f"\n  card: {page}"
    answer(session, {**described(voice), "card": page}, f"{summary(voice)}{shown}")


def _keeps_the_model(overrides: Sequence[str]) -> None:
    if any(override.partition("=")[0].partition(".")[0] == "model" for override in overrides):
        raise BadInputError("a voice keeps the model of its base", "Remove --set model, or pretrain a base.")


@takes(training="voxgrad.settings.TrainingOptions")
def pretrain(
    context: typer.Context, *, run: RunId = None, preset: PresetName = "base-small", training: "TrainingOptions"
) -> None:
    """Train a base from scratch. After an interruption, the same command resumes from the last checkpoint."""
    session: Session = context.obj
    session.loading()
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.settings import Preset
    from voxgrad.steps.pretrain import STEP
    from voxgrad.steps.pretrain import pretrain as step

    begun = begin_or_resume(context, STEP, run, training, Preset, preset)
    with Renderer(session) as renderer:
        base = step(
            begun.store, begun.dataset, name=begun.name, preset=begun.settings, emit=renderer.emit, options=begun.how
        )
    answer(session, described(base), summary(base))


def described(trained: "Artifact") -> dict[str, Any]:
    """A base or a voice for --json."""
    return {
        trained.kind: trained.ref,
        "digest": trained.digest,
        "directory": str(trained.directory),
        "parents": {role: parent.ref for role, parent in trained.manifest.parents.items()},
        "metrics": trained.manifest.metrics,
    }


def summary(trained: "Artifact") -> str:
    """A base or a voice in a few lines."""
    from voxgrad.cli.terminal import duration

    metrics = trained.manifest.metrics
    parents = " and ".join(parent.ref for parent in trained.manifest.parents.values())
    held_out = ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in metrics["held_out"].items())
    work = f"{metrics['steps']} steps in {duration(metrics['seconds'])}"
    return (
        f"{trained.kind} {trained.ref} from {parents}: {work}\n"
        f"  on {judged_on(trained)}: {held_out}\n"
        f"{comparison(trained)}"
        f"  pictures: {trained.directory / 'curves.png'}\n"
        f"            {trained.directory / 'alignment.png'}"
    )


def judged_on(trained: "Artifact") -> str:
    """What the figures of a run were measured on."""
    held_out = trained.manifest.metrics.get("held_out_clips", 1)
    return "held-out clips" if held_out else "its training data (nothing could be held out)"


def comparison(trained: "Artifact") -> str:
    """A line on what training changed where it began from something; else nothing."""
    metrics = trained.manifest.metrics
    if "before" not in metrics:
        return ""
    judge = metrics["judged_by"]
    before, after = metrics["before"][judge], metrics["held_out"][judge]
    verdict = "fine-tuning helped" if after < before else "fine-tuning did not help"
    return f"  {verdict}: {judge.replace('_', ' ')} was {before:.3f}, now {after:.3f}\n"
