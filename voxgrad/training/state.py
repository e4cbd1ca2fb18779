"""Checkpoints of a run in progress: written beside, flushed, renamed; the newest two are kept."""

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from voxgrad.model.checkpoint import read_checkpoint, read_weights, save_weights
from voxgrad.training.average import Average

_KEPT = 2


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands: ``step`` steps of stage ``stage`` are done, ``total`` of all stages."""

    stage: int
    step: int
    total: int


def save_checkpoint(
    run: Path,
    position: Position,
    modules: Mapping[str, nn.Module],
    average: Average,
    optimizers: Mapping[str, torch.optim.Optimizer],
) -> Path:
    """Publishes a checkpoint under ``run/ckpt`` and drops those before the newest two."""
    root = run / "ckpt"
    root.mkdir(parents=True, exist_ok=True)
    staging = root / f"tmp-{uuid.uuid4().hex}"
    staging.mkdir()
    try:
        for name, module in modules.items():
            save_weights(staging / f"{name}.safetensors", module.state_dict())
        save_weights(staging / "average.safetensors", average.weights)
        for name, optimizer in optimizers.items():
            torch.save(optimizer.state_dict(), staging / f"{name}.pt")
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


def load_checkpoint(run: Path, modules: Mapping[str, nn.Module], average: Average) -> tuple[Position, Path]:
    """Restores the newest checkpoint's weights; the optimizers follow when their stage is set up.

    Raises:
        IntegrityError: it is damaged.
    """
    newest = checkpoints(run)[-1]
    stored = json.loads((newest / "position.json").read_text(encoding="utf-8"))
    for name, module in modules.items():
        module.load_state_dict(read_weights(newest / f"{name}.safetensors"))
    average.load(read_weights(newest / "average.safetensors"), stored.pop("updates"))
    return Position(**stored), newest


def load_optimizers(checkpoint: Path, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
    """Restores the optimizers of a checkpoint."""
    for name, optimizer in optimizers.items():
        optimizer.load_state_dict(read_checkpoint(checkpoint / f"{name}.pt"))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
