"""A training task that is a linear regression: what the trainer does can be seen without a Grad-TTS."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import nn

from voxgrad.events import Event, ignore
from voxgrad.settings import RunSpec, StageSpec
from voxgrad.training.optim import ProcessGroup, optimizer_step
from voxgrad.training.run import LOG
from voxgrad.training.trainer import Trainer

FIRST = StageSpec(train=("decoder",), steps=9, batch_size=8, learning_rate=3e-2, warmup=2, interpolation=0.7)
SECOND = StageSpec(train=("decoder",), steps=8, batch_size=4, learning_rate=2e-2, crop=64)
SETTINGS = RunSpec(validate_every=2, checkpoint_every=4, ema_decay=0.6, clip_gradient=5.0)


@dataclass
class Regression:
    """A task with dropout, a momentum and a held-out loss that goes up now and then."""

    stages: tuple[StageSpec, ...] = (FIRST, SECOND)
    group: ProcessGroup = field(default_factory=ProcessGroup)
    network: nn.Module = field(init=False)
    told: list[str] = field(init=False, default_factory=list)

    def __post_init__(self):
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 1))

    @property
    def modules(self):
        return {"model": self.network}

    def name(self, stage):
        return f"stage {stage}"

    def begin(self, stage):
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1.0)
        return {"optimizer": self.optimizer}

    def step(self, stage, step, seed, generator):
        x = torch.randn(self.stages[stage].batch_size, 4, generator=generator)
        self.network.train()
        loss = (self.network(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer_step(loss, [self.network.parameters()], self.optimizer, SETTINGS.clip_gradient, self.group)
        return {"loss": float(loss.detach())}

    @torch.no_grad()
    def validate(self, stage):
        self.network.eval()
        x = torch.randn(3, 4, generator=torch.Generator().manual_seed(stage))
        return {"distance": float((self.network(x) - x.sum(1, keepdim=True)).abs().mean()), "other": 1.0}

    def judged_by(self, stage):
        return "distance"


def engine(run: Path, task=None, emit=ignore, settings=SETTINGS, **options) -> Trainer:
    return Trainer(Regression() if task is None else task, settings, run, emit, **options)


def outcome(one: Trainer) -> dict:
    """All that a run leaves behind, but for times."""
    entries = [json.loads(line) for line in (one.run / LOG).read_text().splitlines()]
    for entry in entries:
        entry.pop("seconds", None)
    weights = {name: value.tolist() for name, value in one.task.network.state_dict().items()}
    return {"weights": weights, "log": entries, "total": one.total, "figures": one.position.figures}


class StoppedError(Exception):
    pass


def stop_at(step: int) -> Callable[[Event], None]:
    """Ends a run in a step, as a power cut does."""

    def pull_the_plug(event: Event) -> None:
        if getattr(event, "done", 0) >= step:
            raise StoppedError

    return pull_the_plug


def stopped_at(run: Path, step: int, settings=SETTINGS, **options) -> None:
    with pytest.raises(StoppedError):
        engine(run, emit=stop_at(step), settings=settings, **options).train()
