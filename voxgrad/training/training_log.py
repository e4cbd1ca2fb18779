"""The log of a run: one JSON object a line for every step and every validation, and the same as TensorBoard events."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from voxgrad import pictures
from voxgrad.errors import EnvironmentFailureError

LOG = "log.jsonl"
_NOT_LOSSES = frozenset({"step", "stage", "seconds", "held_out", "settled"})


@dataclass(frozen=True)
class TrainingLog:
    """``log.jsonl`` of a run, which need not exist yet."""

    path: Path

    def write(self, entry: dict[str, Any]) -> None:
        """Adds a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(entry)}\n")

    def entries(self) -> Iterator[dict[str, Any]]:
        """All complete lines: a process that was killed may have left half of one."""
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry

    def cut(self, total: int) -> None:
        """Drops what came after step ``total``, which will be done and logged again."""
        if not self.path.exists():
            return
        kept = "".join(f"{json.dumps(entry)}\n" for entry in self.entries() if entry["step"] <= total)
        beside = self.path.with_name(f"{self.path.name}.new")
        beside.write_text(kept, encoding="utf-8")
        beside.replace(self.path)

    def seconds(self) -> float:
        """Time that all steps took."""
        return float(sum(entry.get("seconds", 0.0) for entry in self.entries()))

    def draw(self, path: Path, title: str) -> None:
        """Draws losses and held-out figures; nothing where there are none yet."""
        panels: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
        for entry in self.entries():
            for label, figures in (("training", losses(entry)), ("held out", entry.get("held_out", {}))):
                for name, value in figures.items():
                    curves = panels.setdefault(name.replace("_", " "), {})
                    steps, values = curves.setdefault(label, ([], []))
                    steps.append(entry["step"])
                    values.append(value)
        if panels:
            pictures.draw_curves(path, panels, title)


def losses(entry: dict[str, Any]) -> dict[str, float]:
    """The losses of a step's entry."""
    return {name: value for name, value in entry.items() if name not in _NOT_LOSSES}


def tensorboard_writer(directory: Path | None) -> Callable[[dict[str, Any]], None] | None:
    """What writes entries of a log as TensorBoard events into ``directory``; None where none is wanted.

    Raises:
        EnvironmentFailureError: TensorBoard is not installed.
    """
    if directory is None:
        return None
    if find_spec("tensorboard") is None:
        raise EnvironmentFailureError(
            "TensorBoard is not installed", "Install it with: pip install 'voxgrad[tensorboard]'."
        )
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an optional dependency

    writer = SummaryWriter(str(directory))

    def write(entry: dict[str, Any]) -> None:
        groups = {"training": losses(entry), "held out": entry.get("held_out", {})}
        for group, figures in groups.items():
            for name, value in figures.items():
                writer.add_scalar(f"{group}/{name}", value, entry["step"])

    return write
