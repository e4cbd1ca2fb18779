"""TensorBoard, where it is installed."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from voxgrad.errors import EnvironmentFailureError
from voxgrad.training.log import losses


def open_board(directory: Path | None) -> Callable[[dict[str, Any]], None] | None:
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
