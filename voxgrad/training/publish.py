"""A run from start to published artifact: its record, and its time under a budget."""

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from voxgrad.device import memory_explained, pick_device, precision_name
from voxgrad.errors import BadInputError, EnvironmentFailureError, IntegrityError
from voxgrad.events import Emit, Said, tracked
from voxgrad.settings import RunSpec, ScheduleSpec
from voxgrad.store import Artifact
from voxgrad.training.dataset import generator_for
from voxgrad.training.run import LOG, RunInProgress, RunOptions, RunRequest, TrainingLog, tensorboard_writer
from voxgrad.training.trainer import Trainer, TrainingTask

CURVES = "curves.svg"
FINISHING = 5.0
"""Seconds for pictures and publishing."""
_TIMED = 3
"""Steps that are timed, after one that is not: the first is slower."""
_SAVING = 2.0
"""Seconds for a stage's last checkpoint."""

Write = Callable[[Path], tuple[Mapping[str, Any], Mapping[str, Any]]]
"""Writes the weights into the artifact's directory; returns settings and further metrics for the manifest."""


def train_and_publish(
    trainer: Trainer, request: RunRequest, write: Write, draw: Callable[[], None] = lambda: None
) -> Artifact:
    """Trains, from the newest checkpoint where there is one; the first process publishes, all return the artifact.

    ``write`` is called in the first process alone, ``draw`` with every checkpoint.

    Raises:
        BadInputError: the budget is too small.
        DivergedError: see :meth:`Trainer.train`.
        VoxgradError: stopped by a signal; the hint is the command that goes on.
        EnvironmentFailureError: the first process has published nothing.
    """
    trainer.watch = tensorboard_writer(request.options.tensorboard)
    _begin(trainer, request)
    log = TrainingLog(trainer.run / LOG)

    def draw_all() -> None:
        log.draw(trainer.run / CURVES, f"{request.kind} {request.name}")
        draw()

    trainer.at_checkpoint = draw_all
    figures = trainer.train()
    group = trainer.task.group
    with group.main_process_first():
        if group.is_main_process:
            trainer.emit(Said(f"writing {request.kind} {request.name}"))
            return _publish(trainer, request, figures, write)
    artifact = request.made_before()
    if artifact is None:
        raise EnvironmentFailureError("the first process did not finish", "See its output.")
    return artifact


def _begin(trainer: Trainer, request: RunRequest) -> None:
    """Writes ``run.json``, and divides the budget among the stages, where the run is new."""
    task, options = trainer.task, request.options
    record = request.record(trainer.settings, (stage.steps for stage in task.stages))
    try:
        trainer.stage_seconds = RunInProgress.read(trainer.run).record.stage_seconds
    except IntegrityError:  # there is none, or half of one
        if options.budget is not None:
            try:
                trainer.stage_seconds = stage_seconds(task, trainer.settings, options, trainer.emit)
            except BaseException:
                shutil.rmtree(trainer.run, ignore_errors=True)  # no run has begun
                raise
        if task.group.is_main_process:
            record.model_copy(update={"stage_seconds": trainer.stage_seconds}).write(trainer.run)
    trainer.resume = record.resume
    trainer.compares = bool({"base", "start"} & record.parents.keys())


def _publish(trainer: Trainer, request: RunRequest, figures: Mapping[str, float], write: Write) -> Artifact:
    log, device = TrainingLog(trainer.run / LOG), pick_device()
    datasets = [parent.manifest for parent in request.parents.values() if parent.kind == "dataset"]
    licences, before = sorted({one.licence for one in datasets if one.licence is not None}), trainer.position.before
    metrics: dict[str, Any] = {
        "held_out": {name: round(value, 5) for name, value in figures.items()},
        "judged_by": trainer.task.judged_by(len(trainer.task.stages) - 1),
    }
    if before is not None:
        metrics["before"] = {name: round(value, 5) for name, value in before.items()}
    with request.store.stage(request.kind, request.name) as staged:
        settings, found = write(staged.directory)
        shutil.copyfile(log.path, staged.directory / LOG)
        log.draw(staged.directory / CURVES, f"{request.kind} {request.name}")
        artifact = staged.publish(
            fingerprint=request.key,
            parents=request.recorded_parents,
            settings=settings,
            seed=trainer.settings.seed,
            device=f"{device.type} {precision_name(device, trainer.settings)}, {torch.get_num_threads()} threads",
            tools={"torch": torch.__version__},
            metrics={**metrics, **found, "steps": trainer.total, "seconds": round(log.seconds(), 1)},
            consent=datasets[0].consent,
            licence="; ".join(licences) or None,
        )
    shutil.rmtree(trainer.run, ignore_errors=True)  # everything of it now lives in the artifact
    return artifact


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that one stage takes."""

    begin: float
    step: float
    validation: float


def stage_seconds(task: TrainingTask, settings: RunSpec, options: RunOptions, emit: Emit) -> tuple[float, ...]:
    """Times a few steps of every stage, and divides what is left of a budget among the stages.

    The task's networks are left as they were.

    Raises:
        BadInputError: there are several processes, which would measure different things; or not even one step of every
            stage fits.
    """
    if task.group.world_size > 1:
        raise BadInputError("a budget is measured in one process", "Leave out --budget, and set the steps with --set.")
    costs = _measured(task, settings.seed, emit)
    seconds = shared_out(costs, task.stages, options, time.monotonic() - options.started)
    shares = (
        f"{task.name(number)}: {limit:.0f} s, at {cost.step:.2g} s per step"
        for number, (limit, cost) in enumerate(zip(seconds, costs, strict=True))
    )
    emit(Said(f"time for {', '.join(shares)}"))
    return seconds


def shared_out(
    costs: Sequence[Cost], stages: Sequence[ScheduleSpec], options: RunOptions, passed: float
) -> tuple[float, ...]:
    """Seconds of every stage, in the proportions that their steps would take.

    What is shared out is what the seconds that ``passed`` already, the last validations and checkpoints leave.

    Raises:
        BadInputError: a stage would get no step.
    """
    # Every stage ends with a validation; the run begins with one, of the last stage.
    others = passed + FINISHING + costs[-1].validation + sum(cost.validation + _SAVING for cost in costs)
    wanted = [cost.begin + stage.steps * cost.step for cost, stage in zip(costs, stages, strict=True)]
    least = max(sum(wanted) * (cost.begin + cost.step) / wish for cost, wish in zip(costs, wanted, strict=True))
    given = options.end - options.started
    left = given - options.reserved - others
    if left < least:
        enough = (1.2 * (others + least) + 10) / (1 - options.reserved / given)
        raise BadInputError(
            f"a budget of {given:.0f} s is too short for one step of every stage: {passed:.0f} s passed before it",
            f"Give at least {math.ceil(enough)}s, or fewer stages.",
        )
    return tuple(left * wish / sum(wanted) for wish in wanted)


def _measured(task: TrainingTask, seed: int, emit: Emit) -> list[Cost]:
    """Costs of all stages; the networks get back their weights at the end."""
    before = {name: deepcopy(module.state_dict()) for name, module in task.modules.items()}
    costs = []
    try:
        for number, stage in enumerate(tracked(task.stages, "measure", "stages", emit)):
            with memory_explained(number, stage):
                costs.append(_cost(task, number, seed * 1000 + number))
    finally:
        for name, module in task.modules.items():
            module.load_state_dict(before[name])
    return costs


def _cost(task: TrainingTask, number: int, seed: int) -> Cost:
    times = [time.perf_counter()]
    task.begin(number)
    times.append(time.perf_counter())
    for step in range(1 + _TIMED):
        task.step(number, step, seed, generator_for(seed, step, 1))
        times.append(time.perf_counter())
    task.validate(number)
    validation = time.perf_counter() - times[-1]
    return Cost(times[1] - times[0], (times[-1] - times[2]) / _TIMED, validation)
