"""The training loop: stages, steps, averages, validations and checkpoints."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from voxgrad.errors import DivergedError
from voxgrad.events import Advanced, Began, Emit, Ended, Measured, Said
from voxgrad.model.gradtts import GradTTS
from voxgrad.specs import StageSpec, TrainSpec
from voxgrad.training import state
from voxgrad.training.average import Average
from voxgrad.training.batches import Alignment, batch_of_step, collate, collate_crops, generator_for
from voxgrad.training.corpus import Corpus
from voxgrad.training.device import autocast
from voxgrad.training.stages import Losses, align_corpus, decoder_losses, full_losses, parameters_of
from voxgrad.training.validate import validate

TASK = "train"
LOG = "log.jsonl"


@dataclass
class Trainer:
    """One run: a model, what it learns from and how; progress is emitted and logged.

    After :meth:`run` the model holds the averaged weights.
    """

    model: GradTTS
    training: Corpus
    held_out: Corpus
    speaker_rows: Mapping[str, int]
    settings: TrainSpec
    run: Path
    device: torch.device
    emit: Emit
    average: Average = field(init=False)
    total: int = field(init=False, default=0)
    """Steps done, of all stages."""

    def __post_init__(self) -> None:
        self.model.to(self.device)
        self.average = Average(self.model, self.settings.ema_decay)
        self.run.mkdir(parents=True, exist_ok=True)

    def train(self) -> dict[str, float]:
        """Runs all stages, from the run's newest checkpoint where there is one.

        Returns:
            The figures of the last validation, with the averaged weights.

        Raises:
            DivergedError: a loss or a gradient is not finite; the last checkpoint is.
        """
        position, checkpoint = state.Position(0, 0, 0), None
        if state.checkpoints(self.run):
            position, checkpoint = state.load_checkpoint(self.run, self.model, self.average)
            self.total = position.total
            self.emit(Said(f"going on from step {self.total}"))
        planned = sum(stage.steps for stage in self.settings.stages)
        self.emit(Began(TASK, planned, "steps"))
        for number, stage in enumerate(self.settings.stages):
            if number >= position.stage:
                here = number == position.stage
                self._stage(number, stage, position.step if here else 0, checkpoint if here else None)
        self.emit(Ended(TASK))
        self.model.load_state_dict(self.average.weights)
        decoder = any("decoder" in stage.train for stage in self.settings.stages)
        return self._validate("end", decoder=decoder)

    def _stage(self, number: int, stage: StageSpec, done: int, checkpoint: Path | None) -> None:
        if done >= stage.steps:
            return
        if done == 0 and number > 0:
            # A stage starts from the averaged weights of the one before.
            self.model.load_state_dict(self.average.weights)
        parts = parameters_of(self.model, stage)
        every = [parameter for parameters in parts.values() for parameter in parameters]
        optimizer = torch.optim.AdamW(every, lr=stage.learning_rate, fused=True)
        if checkpoint is not None:
            state.load_optimizer(checkpoint, optimizer)
        frozen: dict[str, Alignment] = {}
        if stage.alignment == "frozen":
            self.emit(Said(f"aligning {len(self.training.clips)} clips", "detail"))
            frozen = align_corpus(self.model, self.training, self.speaker_rows, self.device)
        name = "+".join(stage.train)
        for step in range(done, stage.steps):
            started = time.perf_counter()
            losses = self._step(number, stage, step, frozen, parts, optimizer)
            self.total += 1
            figures = {key: round(float(value.detach()), 5) for key, value in losses.named().items()}
            self._log(
                {"step": self.total, "stage": name, **figures, "seconds": time.perf_counter() - started}
            )
            self.emit(Advanced(TASK, self.total, "  ".join(f"{k} {v:.3f}" for k, v in figures.items())))
            last = step + 1 == stage.steps
            if last or self.total % self.settings.validate_every == 0:
                with self.average.swap(self.model):
                    self._validate(name, decoder="decoder" in stage.train)
            if last or self.total % self.settings.checkpoint_every == 0:
                position = state.Position(number, step + 1, self.total)
                state.save_checkpoint(self.run, position, self.model, self.average, optimizer)

    def _step(
        self,
        number: int,
        stage: StageSpec,
        step: int,
        frozen: dict[str, Alignment],
        parts: Mapping[str, list[nn.Parameter]],
        optimizer: torch.optim.Optimizer,
    ) -> Losses:
        seed = self.settings.seed * 1000 + number
        generator = generator_for(seed, step, 1)
        # Dropout draws from torch's own generator; seeded here, a resumed step repeats it.
        torch.manual_seed(generator.initial_seed())
        clips = batch_of_step(self.training.clips, stage.batch_size, step, seed)
        self.model.train()
        with autocast(self.device, self.settings.precision):
            if stage.train == ("decoder",):
                crops = collate_crops(self.training, clips, frozen, stage.crop, self.speaker_rows, generator)
                losses = decoder_losses(self.model, crops.to(self.device), generator)
            else:
                batch = collate(self.training, clips, self.speaker_rows).to(self.device)
                known = _stack([frozen[clip.id] for clip in clips], batch.tokens) if frozen else None
                losses = full_losses(self.model, batch, stage, known, generator)
        optimizer.zero_grad(set_to_none=True)
        losses.total().backward()  # type: ignore[no-untyped-call]
        norms = [nn.utils.clip_grad_norm_(group, self.settings.clip_gradient) for group in parts.values()]
        if not all(math.isfinite(float(norm)) for norm in norms):
            raise DivergedError(
                f"training diverged at step {self.total + 1}",
                "The last checkpoint is whole: resume with a lower learning rate.",
            )
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(stage, step)
        optimizer.step()
        self.average.update(self.model)
        return losses

    def _validate(self, name: str, *, decoder: bool) -> dict[str, float]:
        with autocast(self.device, self.settings.precision):
            figures = validate(self.model, self.held_out, self.speaker_rows, self.device, decoder=decoder)
        self._log({"step": self.total, "stage": name, "held_out": figures})
        self.emit(Measured(self.total, name, figures))
        return figures

    def _log(self, entry: dict[str, object]) -> None:
        with (self.run / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def learning_rate(stage: StageSpec, step: int) -> float:
    """A linear rise over ``warmup`` steps, then half a cosine down to ``final`` of the peak.

    >>> stage = StageSpec(train=("decoder",), steps=110, warmup=10, learning_rate=1.0, final=0.5)
    >>> learning_rate(stage, 4), learning_rate(stage, 10), learning_rate(stage, 110)
    (0.5, 1.0, 0.5)
    """
    if step < stage.warmup:
        return stage.learning_rate * (step + 1) / stage.warmup
    progress = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    share = stage.final + (1.0 - stage.final) * 0.5 * (1.0 + math.cos(math.pi * progress))
    return stage.learning_rate * share


def _stack(alignments: list[Alignment], tokens: torch.Tensor) -> torch.Tensor:
    durations = torch.zeros_like(tokens)
    for row, alignment in enumerate(alignments):
        durations[row, : len(alignment.durations)] = alignment.durations
    return durations
