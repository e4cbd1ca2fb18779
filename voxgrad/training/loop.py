"""Training of a Grad-TTS: the engine's task of learning encoder, durations and decoder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from voxgrad.events import Emit, Said
from voxgrad.model.gradtts import GradTTS
from voxgrad.specs import StageSpec, TrainSpec
from voxgrad.training.batches import Alignment, batch_of_step, collate, collate_crops
from voxgrad.training.corpus import Corpus
from voxgrad.training.device import autocast
from voxgrad.training.engine import Engine, descend
from voxgrad.training.stages import Losses, align_corpus, decoder_losses, full_losses, parameters_of
from voxgrad.training.validate import validate


@dataclass
class Trainer:
    """One run: a model, what it learns from and how; progress is emitted and logged.

    After :meth:`train` the model holds the averaged weights.
    """

    model: GradTTS
    training: Corpus
    held_out: Corpus
    speaker_rows: Mapping[str, int]
    settings: TrainSpec
    run: Path
    device: torch.device
    emit: Emit
    engine: Engine = field(init=False)
    _frozen: dict[str, Alignment] = field(init=False, default_factory=dict)
    _parts: dict[str, list[nn.Parameter]] = field(init=False, default_factory=dict)
    _optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.model.to(self.device)
        self.engine = Engine(self, self.settings, self.run, self.emit)

    @property
    def total(self) -> int:
        """Steps done, of all stages."""
        return self.engine.total

    def train(self) -> dict[str, float]:
        """Runs all stages; see :meth:`Engine.train`."""
        return self.engine.train()

    @property
    def stages(self) -> tuple[StageSpec, ...]:
        """See :class:`Task`."""
        return self.settings.stages

    @property
    def modules(self) -> dict[str, nn.Module]:
        """See :class:`Task`."""
        return {"model": self.model}

    def name(self, stage: int) -> str:
        """See :class:`Task`."""
        return "+".join(self.stages[stage].train)

    def begin(self, stage: int) -> dict[str, torch.optim.Optimizer]:
        """Chooses the parameters that learn, and aligns all clips where alignments are frozen."""
        settings = self.stages[stage]
        self._parts = parameters_of(self.model, settings)
        every = [parameter for parameters in self._parts.values() for parameter in parameters]
        self._optimizer = torch.optim.AdamW(every, lr=settings.learning_rate, fused=True)
        self._frozen = {}
        if settings.alignment == "frozen":
            self.emit(Said(f"aligning {len(self.training.clips)} clips", "detail"))
            self._frozen = align_corpus(self.model, self.training, self.speaker_rows, self.device)
        return {"optimizer": self._optimizer}

    def step(self, stage: int, step: int, seed: int, generator: torch.Generator) -> dict[str, float]:
        """See :class:`Task`."""
        settings = self.stages[stage]
        clips = batch_of_step(self.training.clips, settings.batch_size, step, seed)
        self.model.train()
        with autocast(self.device, self.settings.precision):
            if settings.train == ("decoder",):
                crops = collate_crops(
                    self.training, clips, self._frozen, settings.crop, self.speaker_rows, generator
                )
                losses = decoder_losses(self.model, crops.to(self.device), generator)
            else:
                batch = collate(self.training, clips, self.speaker_rows).to(self.device)
                known = None
                if self._frozen:
                    known = _stack([self._frozen[clip.id] for clip in clips], batch.tokens)
                losses = full_losses(self.model, batch, settings, known, generator)
        descend(losses.total(), self._parts.values(), self._optimizer, self.settings.clip_gradient)
        return _numbers(losses)

    def validate(self, stage: int) -> dict[str, float]:
        """See :class:`Task`; once the decoder has learnt, it is judged too."""
        decoder = any("decoder" in settings.train for settings in self.stages[: stage + 1])
        with autocast(self.device, self.settings.precision):
            return validate(self.model, self.held_out, self.speaker_rows, self.device, decoder=decoder)


def _numbers(losses: Losses) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in losses.named().items()}


def _stack(alignments: list[Alignment], tokens: torch.Tensor) -> torch.Tensor:
    durations = torch.zeros_like(tokens)
    for row, alignment in enumerate(alignments):
        durations[row, : len(alignment.durations)] = alignment.durations
    return durations
