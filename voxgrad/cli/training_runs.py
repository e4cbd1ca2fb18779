"""`voxgrad runs`: training runs in progress; and the options that all training commands share."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from voxgrad.store import Artifact, Store
    from voxgrad.training.run import RunInProgress, RunOptions, RunRecord

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a preset's key, as stages.0.steps=100."),
]
Budget = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Fit steps and batches to this training time, such as 90s, 20m, 1h30m or 2h."
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Resume RUN; default: the newest unfinished run.")]
RunId = Annotated[str | None, typer.Argument(metavar="RUN", help="With --resume: see `voxgrad runs`.")]
TensorBoard = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Also write TensorBoard events to this folder.")
]

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


def options(context: typer.Context, budget: str | None, tensorboard: Path | None) -> "RunOptions":
    """Options of a training run."""
    from voxgrad.training.run import RunOptions
    from voxgrad.training.time_budget import parse_budget

    seconds = None if budget is None else parse_budget(budget)
    return RunOptions(budget=seconds, started=context.obj.started, tensorboard=tensorboard)


def resumed(context: typer.Context, store: "Store", step: str, run_id: str | None) -> "RunRecord":
    """The record of the run that --resume means.

    Raises:
        BadInputError: no such run, or settings were given beside --resume.
    """
    from voxgrad.training.run import find_run

    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in context.params or name in _BESIDE_RESUME:
            continue
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise BadInputError(
                f"--resume takes all settings from the run, and {parameter.opts[0]} is given",
                "Leave one of them out.",
            )
    return find_run(store, step, run_id).record


def begin_or_resume(
    context: typer.Context, store: "Store", step: str, run_id: str | None, how: "RunOptions", *, resume: bool
) -> "tuple[RunRecord | None, RunOptions]":
    """The record of the run that is resumed, None for a new one; and how to run.

    Raises:
        BadInputError: no such run, settings beside --resume, or a run without it.
    """
    if resume:
        record = resumed(context, store, step, run_id)
        return record, replace(how, ask=record.ask)
    if run_id is not None:
        raise BadInputError(
            f"{run_id!r} was given without --resume",
            f"Write --resume {run_id}, or leave it out to start a new run.",
        )
    return None, how


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
