"""The trainer of every run: stages, steps, EMA, validations and checkpoints."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from voxgrad.device import memory_explained
from voxgrad.errors import DivergedError, EnvironmentFailureError
from voxgrad.events import Advanced, Began, Emit, Ended, Measured, Said, ignore
from voxgrad.files import exclusive_lock
from voxgrad.settings import RunSpec, ScheduleSpec
from voxgrad.training.checkpoint import (
    BestValidation,
    Checkpoint,
    StopRequest,
    TrainerState,
    caught_signals,
    load_checkpoint,
    save_checkpoint,
    stopped_by,
)
from voxgrad.training.dataset import generator_for
from voxgrad.training.optim import ExponentialMovingAverage, ProcessGroup, between, learning_rate
from voxgrad.training.run import LOG, TrainingLog

TASK = "train"
LOCK = "run.lock"
_LONGEST_INTERVAL = 300.0
"""Seconds between validations, and between checkpoints, under a budget."""


class TrainingTask(Protocol):
    """A training task: networks, data and losses, independent of runs."""

    group: ProcessGroup

    @property
    def stages(self) -> tuple[ScheduleSpec, ...]:
        """The stages, in order."""
        ...

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Everything that learns, by name; ``model`` is what comes out, and is averaged."""
        ...

    def name(self, stage: int) -> str:
        """The name of a stage in the log."""
        ...

    def begin(self, stage: int) -> Mapping[str, torch.optim.Optimizer]:
        """Get ready for a stage; its optimizers, by name."""
        ...

    def step(self, stage: int, step: int, seed: int, generator: torch.Generator) -> dict[str, float]:
        """Learn from the batch of a step, counted from 0 in its stage; the losses.

        The clips depend on ``seed`` and the step, all noise comes from ``generator``.

        Raises:
            DivergedError: see :func:`voxgrad.training.optim.optimizer_step`.
        """
        ...

    def validate(self, stage: int) -> dict[str, float]:
        """Figures on held-out clips with the weights as they are."""
        ...

    def judged_by(self, stage: int) -> str:
        """The validation figure by which a stage is judged; lower is better."""
        ...


@dataclass
class Trainer:
    """One run of a task, resumed from its newest checkpoint where there is one.

    A stage ends with the averaged weights that did best on held-out clips, or on the way to them as its ``rank`` and
    ``interpolation`` say; the next one starts from there.
    """

    task: TrainingTask
    settings: RunSpec
    run: Path
    emit: Emit
    compares: bool = False
    """Validate before the first step too."""
    resume: str = "the same command"
    """What a person types to go on after a stop."""
    watch: Callable[[dict[str, Any]], None] | None = None
    """Told of every entry of the log."""
    at_checkpoint: Callable[[], None] = lambda: None
    """Called when a checkpoint is saved."""
    stage_seconds: Sequence[float] = ()
    """Time of every stage under a budget, in place of its steps."""
    average: ExponentialMovingAverage = field(init=False)
    position: TrainerState = field(init=False, default_factory=lambda: TrainerState(0, 0, 0))
    _log: TrainingLog = field(init=False)
    _best: dict[str, Tensor] = field(init=False, default_factory=dict)
    _start: dict[str, Tensor] = field(init=False, default_factory=dict)
    """The weights that this stage began with, where they are needed at its end."""
    _optimizers: Mapping[str, torch.optim.Optimizer] = field(init=False, default_factory=dict)
    _stop: StopRequest = field(init=False, default_factory=StopRequest)
    _began: float = field(init=False, default=0.0)
    """When this stage began, had it never been interrupted (`time.monotonic`)."""

    def __post_init__(self) -> None:
        self.average = ExponentialMovingAverage(self._model, self.settings.ema_decay)
        self._log = TrainingLog(self.run / LOG)
        if self.task.group.is_main_process:
            self.run.mkdir(parents=True, exist_ok=True)
        else:
            self.emit = ignore

    @property
    def total(self) -> int:
        """Steps done, of all stages."""
        return self.position.total

    def train(self) -> dict[str, float]:
        """Runs all stages and leaves the best averaged weights of the last one in the model.

        Returns:
            The held-out figures of those weights.

        Raises:
            DivergedError: a loss or a gradient is not finite; the last checkpoint is.
            EnvironmentFailureError: out of memory or of disk, or another process is at this run.
            IntegrityError: there are checkpoints, and none is intact.
            VoxgradError: somebody asked to stop, and the state is saved.
        """
        if not self.task.group.is_main_process:
            return self._train()
        with exclusive_lock(self.run / LOCK) as free:
            if not free:
                raise EnvironmentFailureError(
                    f"another process is working on run {self.run.name}",
                    "Wait for it to finish, or stop it, and try again.",
                )
            return self._train()

    def _train(self) -> dict[str, float]:
        checkpoint = self._load()
        self._began = time.monotonic() - self.position.elapsed
        self.emit(Began(TASK, self._length, "seconds" if self.stage_seconds else "steps", self._done))
        with caught_signals() as self._stop:
            if self.compares and self.position.before is None:
                last = len(self.task.stages) - 1
                with memory_explained(last, self.task.stages[last]):
                    self.position = replace(self.position, before=self._validate(last, "before"))
            for number in range(self.position.stage, len(self.task.stages)):
                with memory_explained(number, self.task.stages[number]):
                    self._stage(number, checkpoint)
                checkpoint = None
        self.emit(Ended(TASK))
        self._model.load_state_dict(self.average.weights)
        return self.position.figures

    def _load(self) -> Checkpoint | None:
        with self.task.group.main_process_first():  # which removes what is torn
            found = load_checkpoint(self.run, self.emit)
            if found is not None:
                self._restore(found)
                self.emit(Said(f"resuming from step {self.total}"))
            if self.task.group.is_main_process:
                self._log.cut(-1 if found is None else self.total)
        return found

    @property
    def _model(self) -> nn.Module:
        return self.task.modules["model"]

    @property
    def _length(self) -> int:
        return round(sum(self.stage_seconds)) or sum(stage.steps for stage in self.task.stages)

    @property
    def _done(self) -> int:
        """Of `_length`."""
        if not self.stage_seconds:
            return self.total
        return int(sum(self.stage_seconds[: self.position.stage]) + self._elapsed)

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _stage(self, number: int, checkpoint: Checkpoint | None) -> None:
        stage = self.task.stages[number]
        self._began = time.monotonic() - self.position.elapsed
        self._optimizers = self.task.begin(number)
        if (stage.interpolation < 1 or stage.rank is not None) and not self._start:
            self._start = {name: value.clone() for name, value in self._model.state_dict().items()}
        if checkpoint is not None and self.position.step:
            for name, optimizer in self._optimizers.items():
                optimizer.load_state_dict(dict(checkpoint.optimizers[name]))
        validation_due = self._intervals(number, self.settings.validate_every)
        checkpoint_due = self._intervals(number, self.settings.checkpoint_every)
        while True:
            self._step(number, self.position.step)
            last = self._progress(number) >= 1
            if last or next(validation_due):
                self._judge(number)
            if last or self._waited_enough(number):
                break
            signal_number = self.task.group.all_reduce_max(self._stop.signal)
            if next(checkpoint_due) or signal_number:
                self._save(signal_number)
        self._end(number)

    def _progress(self, number: int) -> float:
        """Share of a stage that is done: of its steps, or of its time under a budget."""
        if self.stage_seconds:
            return self._elapsed / self.stage_seconds[number]
        return self.position.step / self.task.stages[number].steps

    def _intervals(self, number: int, every: int) -> Iterator[bool]:
        """After every step, whether something is due that is done every so many steps.

        Under a budget it is due as often in the stage as it would be in its steps, at least every five minutes, and
        never so often that it takes more than a tenth of the time.
        """
        if not self.stage_seconds:
            while True:
                yield self.total % every == 0
        interval = self.stage_seconds[number] * every / self.task.stages[number].steps
        due = self._elapsed + min(interval, _LONGEST_INTERVAL)
        while True:
            began = self._elapsed
            yield began >= due
            if began >= due:
                due = self._elapsed + max(min(interval, _LONGEST_INTERVAL), 9 * (self._elapsed - began))

    def _step(self, number: int, step: int) -> None:
        stage, started = self.task.stages[number], time.perf_counter()
        seed = self.settings.seed * 1000 + number
        generator = generator_for(seed, step, 1)
        # Dropout draws from torch's own generator; seeded here, a resumed step repeats it.
        torch.manual_seed(generator.initial_seed() + self.task.group.rank)
        rate_at = min(self._progress(number), 1.0) * stage.steps if self.stage_seconds else step
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(stage, rate_at)
        try:
            losses = self.task.step(number, step, seed, generator)
        except DivergedError as error:
            message = f"training diverged at step {self.total + 1}: {error.message}"
            raise DivergedError(message, error.hint) from error
        self.average.update(self._model)
        self.position = replace(
            self.position,
            step=step + 1,
            total=self.total + 1,
            updates=self.average.updates,
            elapsed=self._elapsed if self.stage_seconds else 0.0,
        )
        figures = {key: round(value, 5) for key, value in losses.items()}
        seconds = round(time.perf_counter() - started, 5)
        self._tell({"step": self.total, "stage": self.task.name(number), **figures, "seconds": seconds})
        self.emit(Advanced(TASK, self._done, "  ".join(f"{k} {v:.3f}" for k, v in figures.items())))

    def _judge(self, number: int) -> None:
        """Validates the average, and keeps it where it is the best so far."""
        with self.average.swap(self._model):
            figures = self._validate(number, self.task.name(number))
        figure, best = figures[self.task.judged_by(number)], self.position.best
        if not math.isfinite(figure):
            raise DivergedError(
                f"the held-out {self.task.judged_by(number)} at step {self.total} is not finite",
                "The last checkpoint is intact: resume with a lower learning rate.",
            )
        if best is None or figure < best.figure:
            best, self._best = BestValidation(self.total, figure, figures), self.average.copy()
        else:
            best = replace(best, waited=best.waited + 1)
        self.position = replace(self.position, best=best)

    def _waited_enough(self, number: int) -> bool:
        best, patience = self.position.best, self.settings.patience
        if best is None or patience is None or best.waited < patience:
            return False
        self.emit(Said(f"{self.task.name(number)} ends at step {self.total}: no improvement since step {best.step}"))
        return True

    def _end(self, number: int) -> None:
        """Goes to the best weights of a stage, or so far on the way to them, and stands before the next one."""
        best, stage = self.position.best, self.task.stages[number]
        if best is not None:
            ended = between(self._start, self._best, stage) if self._start else self._best
            self.average.load(ended, self.average.updates)
            self._model.load_state_dict(ended)
            figures = self._validate(number, self.task.name(number)) if self._start else best.figures
            self.position = replace(self.position, figures=figures)
        self.position = replace(self.position, stage=number + 1, step=0, elapsed=0.0, best=None)
        self._start, self._best, self._optimizers = {}, {}, {}
        self._save(self.task.group.all_reduce_max(self._stop.signal))

    def _save(self, signal_number: int) -> None:
        """Saves a checkpoint, and stops here where some process was sent a signal."""
        if self.task.group.is_main_process:
            tensors = {name: module.state_dict() for name, module in self.task.modules.items()}
            tensors |= {"average": self.average.weights, "best": self._best, "start": self._start}
            optimizers = {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()}
            save_checkpoint(self.run, Checkpoint(self.position, tensors, optimizers))
            self.at_checkpoint()
        self.task.group.barrier()
        if signal_number:
            reached = str(self.total) if self.stage_seconds else f"{self.total} of {self._length}"
            raise stopped_by(signal_number, reached, self.resume)

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.position = checkpoint.position
        for name, module in self.task.modules.items():
            module.load_state_dict(dict(checkpoint.tensors[name]))
        self.average.load(checkpoint.tensors["average"], self.position.updates)
        # They go where the average is, which may be on a GPU.
        self._best, self._start = (
            {
                name: value.to(self.average.weights[name].device)
                for name, value in checkpoint.tensors.get(of, {}).items()
            }
            for of in ("best", "start")
        )

    def _validate(self, number: int, name: str) -> dict[str, float]:
        self.emit(Advanced(TASK, self._done, "validating"))
        figures = self.task.validate(number)
        self._tell({"step": self.total, "stage": name, "held_out": figures})
        self.emit(Measured(self.total, name, figures))
        return figures

    def _tell(self, entry: dict[str, Any]) -> None:
        if not self.task.group.is_main_process:
            return
        self._log.write(entry)
        if self.watch is not None:
            self.watch(entry)
