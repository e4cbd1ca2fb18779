"""A budget of time: each stage gets a share of it, by what its steps cost on this machine with this data."""

import re
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from voxgrad.device import memory_explained
from voxgrad.errors import BadInputError
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.settings import RunSpec, ScheduleSpec
from voxgrad.training.dataset import generator_for
from voxgrad.training.run import RunOptions
from voxgrad.training.trainer import FINISHING, TrainingTask

_TIMED = 3
"""Steps that are timed, after one that is not: the first is slower."""
_SAVING = 2.0
"""Seconds for a stage's last checkpoint."""
_TASK = "measure"
_DURATION = re.compile(r"(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6})s)?")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that one stage takes."""

    begin: float
    step: float
    validation: float


def parse_budget(text: str) -> float:
    """Seconds of ``90s``, ``20m``, ``1h30m`` or ``2h``.

    >>> parse_budget("1h30m")
    5400.0

    Raises:
        BadInputError: it is none of these, or nothing at all.
    """
    parts = _DURATION.fullmatch(text.strip().lower())
    hours, minutes, seconds = (int(part or 0) for part in parts.groups()) if parts else (0, 0, 0)
    total = 3600.0 * hours + 60.0 * minutes + seconds
    if total <= 0:
        raise BadInputError(f"{text!r} is not a duration", "Write it as in 90s, 20m, 1h30m or 2h.")
    return total


def stage_seconds(task: TrainingTask, settings: RunSpec, options: RunOptions, emit: Emit) -> tuple[float, ...]:
    """Times a few steps of every stage, and divides what is left of a budget among the stages.

    Args:
        task: whose networks are used for measuring, and left as they were.
        settings: of the run.
        options: with a budget.
        emit: called with the choice.

    Raises:
        BadInputError: there are several processes, which would measure different things; or not even one step of every
            stage fits.
    """
    if task.group.world_size > 1:
        raise BadInputError("a budget is measured in one process", "Leave out --budget, and set the steps with --set.")
    costs = _measured(task, settings.seed, emit)
    seconds = shared_out(costs, task.stages, options.deadline - time.monotonic())
    if seconds is None:
        given = options.end - options.started
        least = sum(cost.begin + cost.step + 2 * cost.validation + _SAVING for cost in costs) + FINISHING
        raise BadInputError(
            f"a budget of {given:.0f} s is too short for one step of every stage",
            f"Give at least {1.2 * least + 10 + options.reserved:.0f}s, or fewer stages.",
        )
    shares = (
        f"{task.name(number)}: {limit:.0f} s, of {cost.step:.2g} s per step"
        for number, (limit, cost) in enumerate(zip(seconds, costs, strict=True))
    )
    emit(Said(f"time for {', '.join(shares)}"))
    return seconds


def shared_out(costs: Sequence[Cost], stages: Sequence[ScheduleSpec], seconds: float) -> tuple[float, ...] | None:
    """Seconds of every stage, in the proportions that their steps would take; None where a stage would get no step.

    Args:
        costs: of every stage.
        stages: whose steps count.
        seconds: what is left of the budget, with the last validations and checkpoints.
    """
    # Every stage ends with a validation; the run begins with one, of the last stage.
    left = seconds - FINISHING - costs[-1].validation - sum(cost.validation + _SAVING for cost in costs)
    wanted = [cost.begin + stage.steps * cost.step for cost, stage in zip(costs, stages, strict=True)]
    shares = tuple(left * wish / sum(wanted) for wish in wanted)
    enough = all(share > cost.begin + cost.step for share, cost in zip(shares, costs, strict=True))
    return shares if enough else None


def _measured(task: TrainingTask, seed: int, emit: Emit) -> list[Cost]:
    """Costs of all stages; the networks get back their weights at the end."""
    before = {name: deepcopy(module.state_dict()) for name, module in task.modules.items()}
    emit(Began(_TASK, len(task.stages), "stages"))
    costs = []
    try:
        for number, stage in enumerate(task.stages):
            with memory_explained(number, stage):
                costs.append(_cost(task, number, seed * 1000 + number))
            emit(Advanced(_TASK, number + 1))
    finally:
        for name, module in task.modules.items():
            module.load_state_dict(before[name])
    emit(Ended(_TASK))
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
