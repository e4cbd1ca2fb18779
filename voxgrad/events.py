"""Progress as values: the core emits them, the terminal renders them."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Began:
    """Work of ``total`` units (None: unknown) has begun."""

    task: str
    total: int | None
    unit: str


@dataclass(frozen=True, slots=True)
class Advanced:
    """``done`` units stand finished; ``note`` is a short remark such as the current losses."""

    task: str
    done: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The work is over."""

    task: str


@dataclass(frozen=True, slots=True)
class Said:
    """A remark. ``level`` is ``info``, ``detail`` (shown with -v) or ``warning``."""

    text: str
    level: str = "info"


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one training step or validation."""

    step: int
    stage: str
    figures: dict[str, float] = field(default_factory=dict)


Event = Began | Advanced | Ended | Said | Measured
Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """An emitter for callers who do not watch."""
    del event


def counted(count: int, plural: str) -> str:
    """A number of things, such as "1 clip".

    >>> counted(1, "clips"), counted(2, "clips")
    ('1 clip', '2 clips')
    """
    return f"{count} {plural.removesuffix('s') if count == 1 else plural}"
