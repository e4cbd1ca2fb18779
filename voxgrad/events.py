"""Progress events: the steps emit them, the terminal renders them."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Began:
    """Work of ``total`` units (None: unknown) has begun; ``done`` of them were finished by an earlier command."""

    task: str
    total: int | None
    unit: str
    done: float = 0


@dataclass(frozen=True, slots=True)
class Advanced:
    """``done`` units are finished, the last perhaps in part; ``note`` is a short remark such as the losses."""

    task: str
    done: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """The next unit was finished by an earlier command."""

    task: str


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


Event = Began | Advanced | Skipped | Ended | Said | Measured
Emit = Callable[[Event], None]
Advance = Callable[[float], None]
"""Told the cost of a part that is done; see `percent`."""


def ignore(event: Event) -> None:
    """An emitter for callers that do not need events."""
    del event


def tracked(
    items: Iterable[T],
    task: str,
    unit: str,
    emit: Emit,
    total: int | None = None,
    note: Callable[[T], str] | None = None,
    before: int = 0,
) -> Iterator[T]:
    """Pass items on, which may still be arriving, and report each with a note once it is done.

    ``unit`` is the plural of an item. Without a total, it is the number of a collection's items, else unknown. An
    earlier command did ``before`` others of the total.
    """
    emit(Began(task, len(items) if total is None and isinstance(items, Sized) else total, unit, before))
    for done, item in enumerate(items, before + 1):
        yield item
        emit(Advanced(task, done, "" if note is None else note(item)))
    emit(Ended(task))


def uncounted(part: float) -> None:
    """An `Advance` for callers that do not need progress."""
    del part


@contextmanager
def percent(emit: Emit, task: str, cost: float) -> Iterator[Advance]:
    """Tells which share of a task of a cost, in any unit, is done, where its parts take different times.

    Yields:
        A function to call with the cost of what was done.
    """
    done = 0.0

    def advance(part: float) -> None:
        nonlocal done
        done += part
        emit(Advanced(task, min(100, int(100 * done / cost))))

    emit(Began(task, 100, "%"))
    yield advance
    emit(Ended(task))


def counted(count: int, plural: str) -> str:
    """A number of things, such as "1 clip".

    >>> counted(1, "clips"), counted(2, "clips")
    ('1 clip', '2 clips')
    """
    return f"{count} {plural.removesuffix('s') if count == 1 else plural}"


def few(names: Sequence[str], most: int = 20) -> str:
    """The first of some names, and how many more there are.

    >>> few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
