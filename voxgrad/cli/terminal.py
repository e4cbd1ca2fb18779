"""Output for users: progress on standard error, the answer on standard output."""

import json
import re
import shutil
import sys
import textwrap
import time
from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, Self, TextIO

from voxgrad.cli.shared_options import RANK, Session
from voxgrad.events import Advanced, Began, Ended, Event, Measured, Said, Skipped, counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import TaskID
    from rich.table import Table

    from voxgrad.store import Artifact

_QUOTED = re.compile(r"`[^`]*`")
_BAR = 20  # columns
_WINDOW = 30.0
"""Seconds that a rate is measured over."""


def filled(text: str, stream: IO[str], margin: int = 0) -> str:
    """A text with its long lines broken between words, where a terminal would break them anywhere.

    What stands in backticks, and a word that is longer than a line, stays whole, so that it can be copied. ``margin``
    is the number of columns before every line.
    """
    if not stream.isatty():
        return text
    wrapper = textwrap.TextWrapper(
        shutil.get_terminal_size().columns - margin, break_long_words=False, break_on_hyphens=False
    )
    lines = []
    for line in _QUOTED.sub(lambda quoted: quoted[0].replace(" ", "\0"), text).splitlines():
        wrapper.subsequent_indent = line[: len(line) - len(line.lstrip())]
        lines.append(wrapper.fill(line))
    return "\n".join(lines).replace("\0", " ")


def answer(content: "RenderableType | dict[str, Any]") -> None:
    """Print a command's result on standard output, a dictionary as JSON."""
    if isinstance(content, dict):
        content = json.dumps(content, allow_nan=False)
    elif isinstance(content, str):
        content = filled(content, sys.stdout)
    if isinstance(content, str):
        sys.stdout.write(f"{content}\n")
        return
    from rich.console import Console

    # A pipe has no edge to wrap at, and no use for the padding of tables.
    width = None if sys.stdout.isatty() else 1000
    console = Console(file=sys.stdout, width=width, highlight=False, markup=False)
    # Written by ourselves, for rich would end the process where a pipe is closed.
    with console.capture() as capture:
        console.print(content, crop=False)
    text = capture.get()
    if width is not None:
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    sys.stdout.write(text)


def shown_path(path: Path) -> str:
    """A path below the current directory without it; any other as it is."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def section(title: str, rows: dict[str, str]) -> "RenderableType":
    """A heading over names and values; nothing at all where there are none."""
    from rich.console import Group
    from rich.text import Text

    if not rows:
        return Group()
    margin = max(map(len, rows)) + 4
    shown = [
        f"{f'  {name}':{margin}}" + filled(value, sys.stdout, margin).replace("\n", f"\n{' ' * margin}")
        for name, value in rows.items()
    ]
    return Group(Text(title, style="bold"), Text("\n".join(shown), no_wrap=True, overflow="ignore"), "")


def table(*headings: str, no_wrap: Container[str] = (), right: Container[str] = ()) -> "Table":
    """A table without borders; columns fold, but for those of ``no_wrap``, and those of ``right`` are aligned so."""
    from rich.table import Table

    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", show_header=any(headings))
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in right else "left"
        shown.add_column(heading, overflow="fold", no_wrap=heading in no_wrap, justify=justify)
    return shown


def use_of(artifact: "Artifact") -> str | None:
    """The command that one types next with an artifact, if there is a usual one."""
    from voxgrad.text.languages import greeting_in
    from voxgrad.weights import own_language

    kind, ref = artifact.kind, artifact.ref
    if kind == "dataset":
        return f"finetune --data {ref}"
    language = artifact.manifest.settings["languages"][0] if kind == "language" else own_language(artifact)
    options = {"voice": f"--voice {ref}", "base": f"--voice {ref}", "onnx": f"--voice onnx/{ref}"}
    options |= {"vocoder": f"--vocoder {ref}", "language": f"--language {language}"}
    return f'say "{greeting_in(language)}" {options[kind]} -o hello.wav' if kind in options else None


def identity(artifact: "Artifact") -> dict[str, Any]:
    """An artifact that a command made, for --json."""
    return {artifact.kind: artifact.ref, "digest": artifact.digest, "directory": str(artifact.directory)}


def duration(seconds: float) -> str:
    """Seconds as ``36 s``, ``1:05`` or ``2:01:05``.

    >>> duration(36), duration(65.2), duration(7265)
    ('36 s', '1:05', '2:01:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"


def length(seconds: float) -> str:
    """How long speech lasts: `duration`, but exact under a minute.

    >>> length(3.456), length(65.2)
    ('3.46 s', '1:05')
    """
    return f"{seconds:.2f} s" if seconds < 59.995 else duration(seconds)


def size(count: int) -> str:
    """Bytes in readable units.

    >>> size(999), size(1500), size(61_400_000)
    ('999 B', '1.5 kB', '61.4 MB')
    """
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


@dataclass
class _Task:
    total: int | None
    unit: str
    began: float
    """Seconds on the renderer's clock, as is every time here."""
    done: float = 0
    before: float = 0
    """Units that an earlier command finished."""
    samples: deque[tuple[float, float]] = field(default_factory=deque)
    shown: float = 0.0
    """When a line was last printed."""
    shown_done: float = 0

    def advance(self, done: float, now: float) -> None:
        self.done = done
        if not self.samples or now - self.samples[-1][0] >= 0.1:
            self.samples.append((now, done))
        while now - self.samples[0][0] > _WINDOW and len(self.samples) > 2:
            self.samples.popleft()

    def skip(self) -> None:
        """The next unit was finished by an earlier command, so that the rate must leave it out."""
        self.before += 1
        self.samples.clear()

    def due(self, now: float) -> bool:
        """Whether to print a plain line: every ten seconds, or at each tenth of the work."""
        tenth = self.total is not None and 10 * (self.done - self.shown_done) >= self.total
        return now - self.shown >= (1 if tenth else 10)

    def status(self) -> str:
        """Such as ``40/200 clips · 12.3/s · 13 s left``; where seconds are counted, ``5:00 of 20:00 · 15:00 left``."""
        timed = self.unit == "seconds" and self.total is not None
        if timed:
            parts = [f"{duration(self.done)} of {duration(self.total or 0)}"]
        else:
            count = f"{round(self.done, 1):.16g}" + ("" if self.total is None else f"/{self.total}")
            parts = [f"{count} {self.unit}".rstrip()]
        # The first sample may stand far into the work, where a training run is resumed.
        (first, start), (last, end) = (self.samples[0], self.samples[-1]) if self.samples else ((0.0, 0), (0.0, 0))
        if last > first and end > start:
            rate = (end - start) / (last - first)
            parts += [] if timed else [f"{rate:.3g}/s"]
            if self.total is not None:
                parts.append(f"{duration((self.total - self.done) / rate)} left")
        return " · ".join(parts)


class Renderer:
    """Shows events on standard error, or another stream: bars on a terminal, a line now and then elsewhere."""

    def __init__(
        self, session: Session, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._session = session
        self._clock = clock
        self._console = Console(
            file=sys.stderr if stream is None else stream, highlight=False, markup=False, quiet=bool(RANK)
        )
        self._tasks: dict[str, _Task] = {}
        self._bars: dict[str, TaskID] = {}
        self._progress: Progress | None = None
        if self._console.is_terminal and not self._console.is_dumb_terminal and not session.quiet:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=_BAR),
                TextColumn("{task.fields[status]}", markup=False),
                console=self._console,
                # Else answers that are piped would be shown on standard error instead.
                redirect_stdout=sys.stdout.isatty(),
            )

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def emit(self, event: Event) -> None:
        """Show an event; this is the `voxgrad.events.Emit` to hand to a step."""
        match event:
            case Said(text, "warning"):
                self._print(f"warning: {text}")
            case _ if self._session.quiet:
                return
            case Said(text, level):
                if level != "detail" or self._session.verbose:
                    self._print(text)
            case Measured(step, stage, figures):
                if self._session.verbose:
                    shown = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
                    self._print(f"{stage} {step}: {shown}")
            case Began(task, total, unit, done):
                now = self._clock()
                self._begin(task, _Task(total, unit, now, done, done, shown=now, shown_done=done))
            case Skipped(task):
                self._tasks[task].skip()
            case Advanced(task, done, note):
                self._advance(task, done, note)
            case Ended(task):
                self._end(task)

    def _begin(self, name: str, task: _Task) -> None:
        self._tasks[name] = task
        if self._progress is not None:
            self._bars[name] = self._progress.add_task(
                name, total=task.total, completed=int(task.done), status=task.status()
            )
        else:
            total = "" if task.total is None or task.unit == "%" else f" ({counted(task.total, task.unit)})"
            self._print(f"{name}{total}{f' after {task.status()}' if task.done else ''} …")

    def _advance(self, name: str, done: float, note: str) -> None:
        now = self._clock()
        if name not in self._tasks:
            self._begin(name, _Task(None, "", began=now, shown=now))
        task = self._tasks[name]
        task.advance(done, now)
        status, remark = task.status(), f" · {note}" if note else ""
        if self._progress is not None:
            room = self._console.width - len(name) - len(status) - _BAR - 2
            if len(remark) > room:  # the first of the losses
                remark = remark[: max(room, 0)].rpartition("  ")[0]
            self._progress.update(self._bars[name], completed=done, status=status + remark)
        elif task.due(now):
            task.shown, task.shown_done = now, done
            self._print(f"{name}: {status}{remark}")

    def _end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is None:
            return
        if self._progress is not None:
            self._progress.remove_task(self._bars.pop(name))
        done = round(task.done - task.before)
        counts = (done or task.unit) and task.unit != "seconds"
        amount = f"{counted(done, task.unit).rstrip()} in " if counts else ""
        self._print(f"{name}: {amount}{duration(self._clock() - task.began)}")

    def _print(self, text: str) -> None:
        self._console.print(filled(text, self._console.file), soft_wrap=True)
