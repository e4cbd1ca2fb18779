"""Checkpoints of a run in progress, and the signals that ask for the last one.

A checkpoint is written beside, flushed and renamed; the newest two are kept. It is a directory: networks, averages and
optimizers, and ``position.json``, which holds a digest of each of them and of itself. Either all of it is as it was
written, or it is passed over. The first SIGINT or SIGTERM waits for the step to end, the second does not.
"""

import hashlib
import json
import os
import shutil
import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor

from voxgrad.errors import ExitCode, IntegrityError, VoxgradError
from voxgrad.events import Emit, Said
from voxgrad.files import explain_os_errors, sync_directory, sync_file, write_file
from voxgrad.model.checkpoint import read_weights, save_weights

POSITION = "position.json"
_KEPT = 2


@dataclass(frozen=True, slots=True)
class BestValidation:
    """The best validation of a stage so far; the averaged weights of that step are kept."""

    step: int
    """Of all stages."""
    figure: float
    """What the stage is judged by."""
    figures: dict[str, float]
    """All figures of it."""
    waited: int = 0
    """Validations since."""


@dataclass(frozen=True, slots=True)
class TrainerState:
    """The progress of a run: ``step`` steps of stage ``stage`` are done, ``total`` of all stages."""

    stage: int
    step: int
    total: int
    updates: int = 0
    """Of the average."""
    elapsed: float = 0.0
    """Seconds of this stage, under a budget."""
    best: BestValidation | None = None
    """Of this stage."""
    before: dict[str, float] | None = None
    """Held-out figures from before the first step, where they were asked for."""
    figures: dict[str, float] = field(default_factory=dict)
    """Held-out figures of the stage before this one."""


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on as if it had never stopped, beside its settings and data."""

    position: TrainerState
    tensors: Mapping[str, Mapping[str, Tensor]]
    """The networks by name, ``average``, ``best`` and ``start``."""
    optimizers: Mapping[str, Mapping[str, Any]]
    """State dicts by name."""


def save_checkpoint(run: Path, checkpoint: Checkpoint) -> Path:
    """Publishes a checkpoint under ``run/ckpt`` and drops those before the newest two.

    Raises:
        EnvironmentFailureError: the disk is full, or may not be written.
    """
    root = run / "ckpt"
    staging = root / f"tmp-{uuid.uuid4().hex}"
    with explain_os_errors("save a checkpoint"):
        staging.mkdir(parents=True)
        try:
            _write(staging, checkpoint)
            target = root / f"step-{checkpoint.position.total:08d}"
            _discard(target)  # a resumed run comes by a second time
            staging.rename(target)
            sync_directory(root)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        for old in checkpoints(run)[:-_KEPT]:
            _discard(old)
    return target


def checkpoints(run: Path) -> list[Path]:
    """All published checkpoints of a run, oldest first."""
    return sorted((run / "ckpt").glob("step-*"))


def load_checkpoint(run: Path, emit: Emit) -> Checkpoint | None:
    """Reads the newest checkpoint that is intact; None where none was ever saved.

    Raises:
        IntegrityError: all are damaged.
    """
    for abandoned in (run / "ckpt").glob("tmp-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    found = checkpoints(run)
    for directory in reversed(found):
        try:
            return _read(directory)
        except IntegrityError as error:
            emit(Said(f"{error.message}; resuming from the one before it", "warning"))
            _discard(directory)
    if found:
        raise IntegrityError(f"no checkpoint of {run.name} is intact", "Run the command again to start over.")
    return None


def _write(staging: Path, checkpoint: Checkpoint) -> None:
    for name, tensors in checkpoint.tensors.items():
        if tensors:
            save_weights(staging / f"{name}.safetensors", tensors)
    for name, state in checkpoint.optimizers.items():
        # Through a file of Python's, whose error says what the disk refused; torch's own does not.
        with (staging / f"{name}.pt").open("wb") as file:
            torch.save(state, file)
    files = {path.name: sync_file(path) for path in sorted(staging.iterdir())}
    content = {"position": asdict(checkpoint.position), "files": files}
    text = json.dumps({**content, "digest": _digest(content)})
    write_file(staging / POSITION, text.encode())
    sync_directory(staging)


def _read(directory: Path) -> Checkpoint:
    damaged = IntegrityError(f"checkpoint {directory.name} is damaged", "Resume from another.")
    try:
        index: dict[str, Any] = json.loads((directory / POSITION).read_text(encoding="utf-8"))
        is_intact = index.pop("digest") == _digest(index)
        is_intact = is_intact and all(sync_file(directory / name) == digest for name, digest in index["files"].items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise damaged from error
    if not is_intact:
        raise damaged
    names = [Path(name) for name in index["files"]]
    return Checkpoint(
        TypeAdapter(TrainerState).validate_python(index["position"]),
        {name.stem: read_weights(directory / name) for name in names if name.suffix == ".safetensors"},
        {name.stem: torch.load(directory / name, weights_only=True) for name in names if name.suffix == ".pt"},
    )


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _discard(directory: Path) -> None:
    """Removes a checkpoint: first from sight, so that nobody meets half of one."""
    if directory.exists():
        hidden = directory.with_name(f"tmp-{uuid.uuid4().hex}")
        directory.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)


_EXITS = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
Handler = Callable[[int, FrameType | None], object] | int | None


@dataclass
class StopRequest:
    """Whether a signal asked the run to stop."""

    signal: int = 0
    """Its number; 0: nobody has."""


def stopped_by(number: int, reached: str, resume: str) -> VoxgradError:
    """What ends a run that a signal asked to stop, once its state is saved; ``resume`` is the command that goes on."""
    code = _EXITS[signal.Signals(number)]
    return VoxgradError(f"stopped after step {reached}, saved", f"Resume with: {resume}", code)


@contextmanager
def caught_signals() -> Iterator[StopRequest]:
    """Catches the first SIGINT or SIGTERM of the body; the second does what it did before.

    One that the process was told to ignore, as shells tell those in their background, stays ignored. Outside the main
    thread, which alone receives signals, nothing is caught.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before: dict[int, Handler] = {}

    def note(number: int, frame: FrameType | None) -> None:
        if not request.signal:
            request.signal = number
        else:
            _pass_on(before[number], number, frame)

    for expected in _EXITS:
        if signal.getsignal(expected) != signal.SIG_IGN:
            before[expected] = signal.signal(expected, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _pass_on(handler: Handler, number: int, frame: FrameType | None) -> None:
    if callable(handler):
        handler(number, frame)
    else:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
