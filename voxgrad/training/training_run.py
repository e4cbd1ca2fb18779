"""How every training run ends in an artifact: its record, metrics, log and weights."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from voxgrad.device import pick_device, precision_name
from voxgrad.errors import EnvironmentFailureError
from voxgrad.events import Said
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.training.run_record import BudgetRequest, RunOptions, RunRecord, RunRequest
from voxgrad.training.time_budget import FINISHING
from voxgrad.training.trainer import Trainer
from voxgrad.training.training_log import LOG, TrainingLog

CURVES = "curves.png"


def finish_run(
    trainer: Trainer,
    store: Store,
    request: RunRequest,
    key: str,
    publish: Callable[[Mapping[str, Any]], Artifact],
) -> Artifact:
    """Trains, from the newest checkpoint where there is one; the first process publishes, all return the artifact.

    Args:
        trainer: of a run whose ``run.json`` is written.
        store: where the artifact goes.
        request: what the run is asked to do.
        key: fingerprint of the artifact.
        publish: called with the metrics of the run, in the first process alone.

    Raises:
        DivergedError: see :meth:`Trainer.train`.
        VoxgradError: stopped by a signal; the hint is the command that goes on.
        EnvironmentFailureError: the first process has published nothing.
    """
    metrics = run_metrics(trainer, trainer.train())
    with trainer.task.group.main_process_first():
        if trainer.task.group.is_main_process:
            trainer.emit(Said(f"writing {request.kind} {request.name}"))
            return publish(metrics)
    artifact = store.matching(request.kind, key)
    if artifact is None:
        raise EnvironmentFailureError("the first process has published nothing", "See its output.")
    return artifact


def publish_run(
    trainer: Trainer,
    store: Store,
    request: RunRequest,
    key: str,
    settings: Mapping[str, Any],
    metrics: Mapping[str, Any],
    write: Callable[[Path], Mapping[str, Any]],
) -> Artifact:
    """Publishes a finished run, and removes its directory.

    Args:
        trainer: of the run.
        store: where the artifact goes.
        request: what the run was asked to do.
        key: fingerprint of the artifact.
        settings: for the manifest.
        metrics: for the manifest, which adds the steps and seconds of the run.
        write: writes the weights into the artifact's directory; returns further metrics.
    """
    log, device = TrainingLog(trainer.run / LOG), pick_device()
    dataset = request.parents["dataset"].manifest
    with store.stage(request.kind, request.name) as staged:
        found = write(staged.directory)
        shutil.copyfile(log.path, staged.directory / LOG)
        log.draw(staged.directory / CURVES, f"{request.kind} {request.name}")
        artifact = staged.publish(
            fingerprint=key,
            parents={role: parent.as_parent() for role, parent in request.parents.items()},
            settings=settings,
            seed=trainer.settings.seed,
            device=f"{device.type} {precision_name(device, trainer.settings)}, {torch.get_num_threads()} threads",
            tools={"torch": torch.__version__},
            metrics={**metrics, **found, "steps": trainer.total, "seconds": round(log.seconds(), 1)},
            consent=dataset.consent,
            licence=dataset.licence,
        )
    shutil.rmtree(trainer.run, ignore_errors=True)  # everything of it now lives in the artifact
    return artifact


def write_record(
    trainer: Trainer,
    record: RunRecord,
    board: Callable[[dict[str, Any]], None] | None,
    options: RunOptions,
) -> None:
    """Writes ``run.json``, and has the trainer draw its curves beside it, tell of every step and mind its budget."""
    if trainer.task.group.is_main_process:
        record.write(trainer.run)
    log = TrainingLog(trainer.run / LOG)
    trainer.resume = record.resume
    trainer.compares = bool({"base", "start"} & record.parents.keys())
    trainer.watch = board
    if options.planned:
        trainer.deadline, trainer.planned = options.deadline - FINISHING, options.planned
    trainer.at_checkpoint = lambda: log.draw(trainer.run / CURVES, f"{record.kind} {record.name}")


def run_metrics(trainer: Trainer, figures: Mapping[str, float]) -> dict[str, Any]:
    """Metrics of a run: ``held_out``, what of it counts, and ``before`` where it did not begin from nothing."""
    before = trainer.position.before
    return {
        "held_out": {name: round(value, 5) for name, value in figures.items()},
        "judged_by": trainer.task.judged_by(len(trainer.task.stages) - 1),
        **({} if before is None else {"before": {name: round(value, 5) for name, value in before.items()}}),
    }


def budget_settings(ask: BudgetRequest | None) -> dict[str, Any]:
    """What a manifest says of the budget that its settings were fitted to."""
    return {} if ask is None else {"budget": ask.model_dump()}
