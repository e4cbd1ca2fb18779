"""`voxgrad runs`: training runs in progress; and the options that all training commands share."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import typer

from voxgrad.cli.shared_options import SHARED, Session
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from voxgrad.settings import Preset, TrainingOptions, VocoderPreset
    from voxgrad.store import Artifact, Store
    from voxgrad.training.run import RunInProgress, RunOptions, RunRecord

Settings = TypeVar("Settings", "Preset", "VocoderPreset")
RunId = Annotated[str | None, typer.Argument(metavar="RUN", help="With --resume: see `voxgrad runs`.")]
PresetName = Annotated[str, typer.Option(metavar="P", help="A preset's name, or a YAML file.")]

_BESIDE_RESUME = frozenset({"resume", "run", "tensorboard", "no_card"})


def runs(context: typer.Context) -> None:
    """List training runs that are in progress or were stopped."""
    from voxgrad.cli.terminal import answer
    from voxgrad.store import Store
    from voxgrad.training.run import unfinished

    session: Session = context.obj
    store = Store.open(session.home)
    found = unfinished(store)
    answer(
        session,
        {"home": str(store.home), "runs": [_described(run) for run in found]},
        table(found) if found else f"No run in progress in {store.home}",
    )


def table(found: "Sequence[RunInProgress]") -> "Table":
    """Runs as lines of a table that can be read at 80 columns."""
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
            f"{progress['step']} of {progress['steps']}",
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
        return Run(store, record, settings, dataset, record.name, replace(how, ask=record.ask))
    if run_id is not None:
        raise BadInputError(
            f"{run_id!r} was given without --resume",
            f"Write --resume {run_id}, or leave it out to start a new run.",
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
                f"--resume takes all settings from the run, and {parameter.opts[0]} is given",
                "Leave one of them out.",
            )
    return find_run(store, step, run_id).record


def parent(store: "Store", record: "RunRecord", role: str) -> "Artifact":
    """The very artifact that a run was begun with.

    Raises:
        BadInputError: it is no longer there.
    """
    return store.find(f"@sha256:{record.parents[role].digest}")


def _described(run: "RunInProgress") -> dict[str, Any]:
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
