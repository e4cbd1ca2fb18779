"""Checkpoints of a run in progress: written beside, flushed, renamed; the newest two are kept."""

import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from voxgrad.model.checkpoint import read_checkpoint, read_weights, save_weights
from voxgrad.model.gradtts import GradTTS
from voxgrad.training.average import Average

_KEPT = 2


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands: ``step`` steps of stage ``stage`` are done, ``total`` of all stages."""

    stage: int
    step: int
    total: int


def save_checkpoint(
    run: Path, position: Position, model: GradTTS, average: Average, optimizer: torch.optim.Optimizer
) -> Path:
    """Publishes a checkpoint under ``run/ckpt`` and drops those before the newest two."""
    root = run / "ckpt"
    root.mkdir(parents=True, exist_ok=True)
    staging = root / f"tmp-{uuid.uuid4().hex}"
    staging.mkdir()
    try:
        save_weights(staging / "model.safetensors", model.state_dict())
        save_weights(staging / "average.safetensors", average.weights)
        torch.save(optimizer.state_dict(), staging / "optimizer.pt")
        position_text = json.dumps({**asdict(position), "updates": average.updates})
        (staging / "position.json").write_text(position_text, encoding="utf-8")
        for path in (*staging.iterdir(), staging):
            _flush(path)
        target = root / f"step-{position.total:08d}"
        if target.exists():  # a resumed run comes by a second time
            shutil.rmtree(target)
        staging.rename(target)
        _flush(root)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    for old in checkpoints(run)[:-_KEPT]:
        shutil.rmtree(old)
    return target


def checkpoints(run: Path) -> list[Path]:
    """All whole checkpoints of a run, oldest first."""
    return sorted((run / "ckpt").glob("step-*"))


def load_checkpoint(run: Path, model: GradTTS, average: Average) -> tuple[Position, Path]:
    """Restores the newest checkpoint's weights; the optimizer follows when its stage is set up.

    Raises:
        IntegrityError: it is damaged.
    """
    newest = checkpoints(run)[-1]
    stored = json.loads((newest / "position.json").read_text(encoding="utf-8"))
    model.load_state_dict(read_weights(newest / "model.safetensors"))
    average.load(read_weights(newest / "average.safetensors"), stored.pop("updates"))
    return Position(**stored), newest


def load_optimizer(checkpoint: Path, optimizer: torch.optim.Optimizer) -> None:
    """Restores the optimizer of a checkpoint."""
    optimizer.load_state_dict(read_checkpoint(checkpoint / "optimizer.pt"))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
