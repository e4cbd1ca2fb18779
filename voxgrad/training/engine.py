"""The engine under every training run: stages, steps, averages, validations, checkpoints and the log."""

import json
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from voxgrad.errors import DivergedError
from voxgrad.events import Advanced, Began, Emit, Ended, Measured, Said
from voxgrad.specs import RunSpec, ScheduleSpec
from voxgrad.training import state
from voxgrad.training.average import Average
from voxgrad.training.batches import generator_for

TASK = "train"
LOG = "log.jsonl"


class Task(Protocol):
    """What is trained: it knows its networks, data and losses, and nothing of runs."""

    @property
    def stages(self) -> tuple[ScheduleSpec, ...]:
        """What is done one after another."""
        ...

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Everything that learns, by name; ``model`` is what comes out, and is averaged."""
        ...

    def name(self, stage: int) -> str:
        """What a stage is called in the log."""
        ...

    def begin(self, stage: int) -> Mapping[str, torch.optim.Optimizer]:
        """Get ready for a stage; its optimizers, by name."""
        ...

    def step(self, stage: int, step: int, seed: int, generator: torch.Generator) -> dict[str, float]:
        """Learn from one batch; the losses.

        Args:
            stage: counted from 0.
            step: of the stage, counted from 0.
            seed: of the stage's order of clips.
            generator: of all noise of this step.

        Raises:
            DivergedError: see :func:`descend`.
        """
        ...

    def validate(self, stage: int) -> dict[str, float]:
        """Figures on held-out clips with the weights as they are."""
        ...


@dataclass
class Engine:
    """One run of a task, resumed from its newest checkpoint where there is one."""

    task: Task
    settings: RunSpec
    run: Path
    emit: Emit
    total: int = field(init=False, default=0)
    """Steps done, of all stages."""
    average: Average = field(init=False)

    def __post_init__(self) -> None:
        self.average = Average(self.task.modules["model"], self.settings.ema_decay)
        self.run.mkdir(parents=True, exist_ok=True)

    def train(self) -> dict[str, float]:
        """Runs all stages and leaves the averaged weights in the model.

        Returns:
            The figures of the last validation, with the averaged weights.

        Raises:
            DivergedError: a loss or a gradient is not finite; the last checkpoint is.
        """
        position, checkpoint = state.Position(0, 0, 0), None
        if state.checkpoints(self.run):
            position, checkpoint = state.load_checkpoint(self.run, self.task.modules, self.average)
            self.total = position.total
            self.emit(Said(f"going on from step {self.total}"))
        self.emit(Began(TASK, sum(stage.steps for stage in self.task.stages), "steps"))
        for number in range(position.stage, len(self.task.stages)):
            here = number == position.stage
            self._stage(number, position.step if here else 0, checkpoint if here else None)
        self.emit(Ended(TASK))
        self.task.modules["model"].load_state_dict(self.average.weights)
        return self._validate(len(self.task.stages) - 1, "end")

    def _stage(self, number: int, done: int, checkpoint: Path | None) -> None:
        stage = self.task.stages[number]
        if done >= stage.steps:
            return
        if done == 0 and number > 0:
            # A stage starts from the averaged weights of the one before.
            self.task.modules["model"].load_state_dict(self.average.weights)
        optimizers = self.task.begin(number)
        if checkpoint is not None:
            state.load_optimizers(checkpoint, optimizers)
        seed = self.settings.seed * 1000 + number
        for step in range(done, stage.steps):
            started = time.perf_counter()
            generator = generator_for(seed, step, 1)
            # Dropout draws from torch's own generator; seeded here, a resumed step repeats it.
            torch.manual_seed(generator.initial_seed())
            for optimizer in optimizers.values():
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(stage, step)
            losses = self._step(number, step, seed, generator)
            figures = {key: round(value, 5) for key, value in losses.items()}
            seconds = time.perf_counter() - started
            self._log({"step": self.total, "stage": self.task.name(number), **figures, "seconds": seconds})
            self.emit(Advanced(TASK, self.total, "  ".join(f"{k} {v:.3f}" for k, v in figures.items())))
            last = step + 1 == stage.steps
            if last or self.total % self.settings.validate_every == 0:
                with self.average.swap(self.task.modules["model"]):
                    self._validate(number, self.task.name(number))
            if last or self.total % self.settings.checkpoint_every == 0:
                position = state.Position(number, step + 1, self.total)
                state.save_checkpoint(self.run, position, self.task.modules, self.average, optimizers)

    def _step(self, number: int, step: int, seed: int, generator: torch.Generator) -> dict[str, float]:
        try:
            losses = self.task.step(number, step, seed, generator)
        except DivergedError as error:
            raise DivergedError(
                f"training diverged at step {self.total + 1}: {error.message}", error.hint
            ) from error
        self.total += 1
        self.average.update(self.task.modules["model"])
        return losses

    def _validate(self, number: int, name: str) -> dict[str, float]:
        figures = self.task.validate(number)
        self._log({"step": self.total, "stage": name, "held_out": figures})
        self.emit(Measured(self.total, name, figures))
        return figures

    def _log(self, entry: dict[str, object]) -> None:
        with (self.run / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def descend(
    loss: Tensor,
    groups: Iterable[Iterable[nn.Parameter]],
    optimizer: torch.optim.Optimizer,
    clip_gradient: float,
) -> None:
    """One step downhill, each group of parameters with its own bound on the gradient's norm.

    Raises:
        DivergedError: a gradient is not finite; nothing has been changed.
    """
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norms = [nn.utils.clip_grad_norm_(group, clip_gradient) for group in groups]
    if not all(math.isfinite(float(norm)) for norm in norms):
        raise DivergedError(
            "a gradient is not finite", "The last checkpoint is whole: resume with a lower learning rate."
        )
    optimizer.step()


def learning_rate(stage: ScheduleSpec, step: int) -> float:
    """A linear rise over ``warmup`` steps, then half a cosine down to ``final`` of the peak.

    >>> stage = ScheduleSpec(steps=110, warmup=10, learning_rate=1.0, final=0.5)
    >>> learning_rate(stage, 4), learning_rate(stage, 10), learning_rate(stage, 110)
    (0.5, 1.0, 0.5)
    """
    if step < stage.warmup:
        return stage.learning_rate * (step + 1) / stage.warmup
    progress = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    share = stage.final + (1.0 - stage.final) * 0.5 * (1.0 + math.cos(math.pi * progress))
    return stage.learning_rate * share
