"""A budget of time: step times are measured on this machine with this data, and the stages fitted to it."""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TypeVar

from voxgrad.device import memory_explained
from voxgrad.errors import BadInputError
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.settings import Preset, VocoderPreset
from voxgrad.store.store import Store
from voxgrad.training import checkpoint
from voxgrad.training.dataset import generator_for
from voxgrad.training.optim import open_process_group
from voxgrad.training.run import BudgetRequest, RunOptions, RunRequest, settings_of_same_request
from voxgrad.training.trainer import FINISHING, TrainingTask

Settings = TypeVar("Settings", Preset, VocoderPreset)

_WARM_UP, _TIMED = 2, 8
_MEASURING = 0.03
"""Share of the budget that the steps of one stage are timed for at most, after the first three."""
_OVERHEAD = 0.15
"""Share of the budget that validations and checkpoints may take."""
_LONGEST_INTERVAL = 300.0
"""Seconds between validations, and between checkpoints."""
_FEW = 100
"""A stage with fewer steps than this gets smaller batches, and so more steps."""
_SMALLEST_BATCH = 4
_TASK = "measure"
_DURATION = re.compile(r"(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6})s)?")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that one stage takes."""

    begin: float
    step: float
    validation: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What fits.

    Attributes:
        steps: of every stage.
        validate_every: steps between validations.
        checkpoint_every: steps between checkpoints.
        seconds: that every stage should take.
    """

    steps: tuple[int, ...]
    validate_every: int
    checkpoint_every: int
    seconds: tuple[float, ...]


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
        raise BadInputError(f"{text!r} is not a duration", "Write it like 90s, 20m, 1h30m or 2h.")
    return total


def settings_for_budget(
    store: Store,
    request: RunRequest,
    settings: Settings,
    options: RunOptions,
    task_of: Callable[[Settings, Path], TrainingTask],
    emit: Emit,
) -> tuple[Settings, RunOptions]:
    """Settings and options of a run under the budget of ``options``, if it has one.

    The settings are those chosen for the same request before, else what :func:`fit_to_budget` finds: so a run that is
    begun again goes on with the numbers that it was begun with.

    Args:
        store: where earlier runs and artifacts are.
        request: what the run is asked to do.
        settings: what is scaled.
        options: whose budget counts.
        task_of: see :func:`fit_to_budget`.
        emit: called with the choice.

    Raises:
        BadInputError: there are several processes, which would measure different things; or the budget is too small.
    """
    if options.budget is None:
        return settings, options
    if open_process_group().world_size > 1:
        raise BadInputError(
            "a budget is measured and fitted in one process",
            "Leave out --budget, and set the steps with --set.",
        )
    given = settings.model_dump(mode="json")
    ask = BudgetRequest(seconds=options.budget, key=request.key({"budget": options.budget, **given}))
    known = settings_of_same_request(store, request, ask)
    if known is None:
        fitted, planned = fit_to_budget(task_of, settings, options, emit)
        options = replace(options, planned=planned)
    else:
        chosen = {name: known[name] for name in ("stages", "validate_every", "checkpoint_every")}
        fitted = type(settings).model_validate({**given, **chosen})
    return fitted, replace(options, ask=ask)


def fit_to_budget(
    task_of: Callable[[Settings, Path], TrainingTask], settings: Settings, options: RunOptions, emit: Emit
) -> tuple[Settings, tuple[float, ...]]:
    """Scales the stages of ``settings`` so that training ends before the deadline of ``options``, measuring included.

    The stages keep their proportions. Where one would get fewer than a hundred steps, batches are halved.

    Args:
        task_of: the task under given settings; it may write into the folder, which is removed. Its networks are
            used for measuring and left as they were.
        settings: what is scaled.
        options: with a budget.
        emit: called with the choice.

    Returns:
        The settings, and the seconds that every stage should take.

    Raises:
        BadInputError: not even one step of every stage fits.
    """
    seconds = options.deadline - options.started
    while True:
        with tempfile.TemporaryDirectory() as scratch:
            task = task_of(settings, Path(scratch))
            costs, saving = _measured(task, settings.seed, seconds, emit), _saving(task, Path(scratch))
        found = plan(costs, saving, settings, options.deadline - time.monotonic())
        smaller = _with_smaller_batches(settings, found)
        if smaller is settings:
            break
        settings = smaller
    if found is None:
        least = sum(cost.begin + cost.step + 2 * cost.validation for cost in costs) + saving + FINISHING
        raise BadInputError(
            f"a budget of {seconds + options.reserved:.0f} s is too short for one step of every stage",
            f"Give at least {1.2 * least + 10 + options.reserved:.0f}s, or fewer stages.",
        )
    _say(task, costs, settings, found, emit)
    return _applied(settings, found), found.seconds


def plan(costs: Sequence[Cost], saving: float, settings: Settings, seconds: float) -> Plan | None:
    """Steps that fit into ``seconds``, in the proportions of ``settings``; None where a stage would get none.

    Args:
        costs: of every stage.
        saving: seconds for a checkpoint.
        settings: stages and intervals to scale.
        seconds: what is left of the budget.
    """
    steps = [stage.steps for stage in settings.stages]
    fixed = sum(cost.begin + cost.validation for cost in costs) + costs[-1].validation + FINISHING
    left = seconds - fixed - saving * len(costs)
    if left <= 0:
        return None
    validation = sum(s * cost.validation for s, cost in zip(steps, costs, strict=True)) / sum(steps)
    # How often the settings would validate and save in all, or every five minutes if that is more.
    often = [
        max(sum(steps) / every, left / _LONGEST_INTERVAL)
        for every in (settings.validate_every, settings.checkpoint_every)
    ]
    wanted = often[0] * validation + often[1] * saving
    share = min(1.0, _OVERHEAD * left / wanted) if wanted > 0 else 1.0
    one = sum(s * cost.step for s, cost in zip(steps, costs, strict=True))
    scale = (left - share * wanted) / one
    scaled = tuple(int(scale * s) for s in steps)
    if min(scaled) < 1:
        return None
    every = [max(1, round(sum(scaled) / (share * times))) for times in often]
    took = [
        cost.begin + s * (cost.step + cost.validation / every[0])
        for s, cost in zip(scaled, costs, strict=True)
    ]
    return Plan(scaled, every[0], every[1], tuple(left / sum(took) * one for one in took))


def _measured(task: TrainingTask, seed: int, seconds: float, emit: Emit) -> list[Cost]:
    emit(Began(_TASK, len(task.stages), "stages"))
    costs = []
    with _kept(task):
        for number, stage in enumerate(task.stages):
            with memory_explained(number, stage):
                cost = _cost(task, number, seed * 1000 + number, _MEASURING * seconds)
            every = getattr(stage, "alignment", None)
            if isinstance(every, int):  # all clips are aligned again at such intervals, as at the beginning
                cost = replace(cost, step=cost.step + cost.begin / every)
            costs.append(cost)
            emit(Advanced(_TASK, number + 1))
    emit(Ended(_TASK))
    return costs


def _cost(task: TrainingTask, number: int, seed: int, patience: float) -> Cost:
    started = time.perf_counter()
    task.begin(number)
    begin = time.perf_counter() - started
    times: list[float] = []
    for step in count():
        started = time.perf_counter()
        task.step(number, step, seed, generator_for(seed, step, 1))
        times.append(time.perf_counter() - started)
        timed = times[_WARM_UP:]
        if timed and (len(timed) >= _TIMED or sum(times) > patience):
            break
    started = time.perf_counter()
    task.validate(number)
    return Cost(begin, sum(timed) / len(timed), time.perf_counter() - started)


def _saving(task: TrainingTask, scratch: Path) -> float:
    """Seconds for a checkpoint: networks, two averages, and optimizers of twice their size."""
    started = time.perf_counter()
    networks = {name: module.state_dict() for name, module in task.modules.items()}
    copies = {f"{name}-{copy}": tensors for name, tensors in networks.items() for copy in range(5)}
    checkpoint.save_checkpoint(
        scratch / "run", checkpoint.Checkpoint(checkpoint.TrainerState(0, 0, 0), copies, {})
    )
    return time.perf_counter() - started + 1.0  # and the picture


@contextmanager
def _kept(task: TrainingTask) -> Iterator[None]:
    """Gives the networks back their weights at the end."""
    before = {name: deepcopy(module.state_dict()) for name, module in task.modules.items()}
    try:
        yield
    finally:
        for name, module in task.modules.items():
            module.load_state_dict(before[name])


def _with_smaller_batches(settings: Settings, found: Plan | None) -> Settings:
    """Settings with the batches halved where stages get too few steps of them; else the same object."""
    steps = [0] * len(settings.stages) if found is None else found.steps
    changed = [
        stage.model_copy(update={"batch_size": max(_SMALLEST_BATCH, stage.batch_size // 2)})
        if fits < min(_FEW, stage.steps) and stage.batch_size > _SMALLEST_BATCH
        else stage
        for stage, fits in zip(settings.stages, steps, strict=True)
    ]
    if all(new is old for new, old in zip(changed, settings.stages, strict=True)):
        return settings
    return settings.model_copy(update={"stages": tuple(changed)})


def _applied(settings: Settings, found: Plan) -> Settings:
    stages = [
        stage.model_copy(
            update={"steps": steps, "warmup": round(min(1.0, steps / stage.steps) * stage.warmup)}
        )
        for stage, steps in zip(settings.stages, found.steps, strict=True)
    ]
    changed: Mapping[str, object] = {
        "stages": tuple(stages),
        "validate_every": found.validate_every,
        "checkpoint_every": found.checkpoint_every,
    }
    return settings.model_copy(update=dict(changed))


def _say(task: TrainingTask, costs: Sequence[Cost], settings: Settings, found: Plan, emit: Emit) -> None:
    measured = ", ".join(f"{cost.step:.2g} s in {task.name(number)}" for number, cost in enumerate(costs))
    chosen = " + ".join(str(steps) for steps in found.steps)
    batches = ", ".join(str(stage.batch_size) for stage in settings.stages)
    emit(Said(f"a step takes {measured}"))
    emit(Said(f"the budget fits {chosen} steps of batch {batches}, validated every {found.validate_every}"))
