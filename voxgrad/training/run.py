"""Runs in progress: ``run.json`` describes a run, and the log its progress.

Nothing here needs torch, so that a list of runs comes at once.
"""

import json
import math
import re
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from voxgrad.errors import BadInputError, EnvironmentFailureError, IntegrityError
from voxgrad.events import Emit, ignore
from voxgrad.files import atomic_write, explain_os_errors
from voxgrad.pictures import curves
from voxgrad.settings import RunSpec, Spec
from voxgrad.store import Artifact, Parent, Store, fingerprint

RECORD = "run.json"
_CARD, _JUDGED_CARD = 12.0, 40.0
"""Seconds for a card on two busy cores, without the models that judge it and with them."""


class RunRecord(Spec):
    """``run.json``: the complete request, so that the run can be resumed."""

    step: str
    """The command, such as ``finetune``."""
    kind: str
    """Of the artifact that it ends in."""
    name: str
    """Of that artifact."""
    started: str
    """UTC, ISO 8601."""
    resume: str
    """The command line that goes on."""
    parents: dict[str, Parent]
    settings: dict[str, Any]
    """The preset with everything that was changed in it."""
    options: dict[str, Any]
    """Other options of the command."""
    stages: tuple[int, ...]
    """Steps of each; with a budget, as many as there is time for."""
    budget: float | None = None
    """Seconds that the command may take."""
    stage_seconds: tuple[float, ...] = ()
    """Time of every stage under the budget."""

    def write(self, run: Path) -> None:
        """Writes it into a run's directory, atomically."""
        with explain_os_errors("begin a run"):
            run.mkdir(parents=True, exist_ok=True)
        with atomic_write(run / RECORD) as temporary:
            temporary.write_text(f"{self.model_dump_json(indent=2)}\n", encoding="utf-8")


@dataclass(frozen=True)
class RunOptions:
    """Options of a run that do not change its result, except the budget."""

    budget: float | None = None
    """Seconds that the whole command may take."""
    started: float = field(default_factory=time.monotonic)
    """When the command began."""
    reserved: float = 0.0
    """Seconds of the budget that are for what comes after training."""
    tensorboard: Path | None = None
    """Folder for TensorBoard events."""

    def __post_init__(self) -> None:
        if self.tensorboard is not None and find_spec("tensorboard") is None:
            raise EnvironmentFailureError(
                "TensorBoard is not installed", "Install it with: pip install 'voxgrad[tensorboard]'."
            )

    @property
    def settings(self) -> dict[str, float]:
        """What a manifest and a fingerprint say of the budget."""
        return {} if self.budget is None else {"budget": self.budget}

    @property
    def end(self) -> float:
        """When the command has to end."""
        return math.inf if self.budget is None else self.started + self.budget

    @property
    def deadline(self) -> float:
        """When training has to end."""
        return self.end - self.reserved


def with_time_for_card(options: RunOptions) -> RunOptions:
    """The same options, of whose budget a tenth, or as much as a card takes, is kept from training."""
    if options.budget is None:
        return options
    card = _CARD if find_spec("resemblyzer") is None else _JUDGED_CARD
    return replace(options, reserved=min(card, 0.1 * options.budget))


NO_OPTIONS = RunOptions()
"""No budget, no TensorBoard."""


@dataclass(frozen=True)
class RunRequest:
    """What a training command is asked to do."""

    store: Store
    step: str
    version: int
    kind: str
    name: str
    parents: Mapping[str, Artifact]
    inputs: Mapping[str, Any]
    """Other options of the command that its outcome depends on."""
    settings: Mapping[str, Any]
    """What its outcome depends on besides, but for the budget."""
    options: RunOptions

    @property
    def recorded_parents(self) -> dict[str, Parent]:
        """Its parents as records and manifests name them."""
        return {role: parent.as_parent() for role, parent in self.parents.items()}

    @cached_property
    def key(self) -> str:
        """Fingerprint of the work."""
        settings, inputs = {**self.settings, **self.options.settings}, {"name": self.name, **self.inputs}
        return fingerprint(self.step, self.version, settings, self.recorded_parents, inputs)

    @property
    def directory(self) -> Path:
        """Where the run keeps its state."""
        return self.store.run_directory(f"{self.name[:48]}-{self.key[:8]}")

    def made_before(self, emit: Emit = ignore) -> Artifact | None:
        """What the same work ended in, if it was done."""
        return self.store.matching(self.kind, self.key, emit)

    def record(self, settings: RunSpec, steps: Iterable[int]) -> RunRecord:
        """Its ``run.json``; ``steps`` of each stage."""
        return RunRecord(
            step=self.step,
            kind=self.kind,
            name=self.name,
            started=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            resume=resume_command(self.store, self.step, self.directory.name),
            parents=self.recorded_parents,
            settings=settings.model_dump(mode="json"),
            options=dict(self.inputs),
            stages=tuple(steps),
            budget=self.options.budget,
        )


_DURATION = re.compile(r"(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6})s)?")


def parse_budget(text: str) -> float:
    """Seconds of ``90s``, ``20m``, ``1h30m`` or ``2h``.

    >>> parse_budget("1h30m")
    5400.0

    Raises:
        BadInputError: it is none of these, or nothing at all.
    """
    parts = _DURATION.fullmatch(text.strip().lower())
    hours, minutes, seconds = (int(part or 0) for part in parts.groups()) if parts else (0, 0, 0)
    total = 3600.0 * hours + 60.0 * minutes + seconds
    if total <= 0:
        raise BadInputError(f"{text!r} is not a duration", "Write it like 90s, 20m, 1h30m or 2h.")
    return total


@dataclass(frozen=True)
class RunInProgress:
    """A directory under ``runs`` with a record in it."""

    directory: Path
    record: RunRecord

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Reads a run's record.

        Raises:
            IntegrityError: it cannot be read.
        """
        try:
            return cls(directory, RunRecord.model_validate_json((directory / RECORD).read_bytes()))
        except (OSError, ValidationError) as error:
            raise IntegrityError(
                f"run {directory.name} has no readable run.json", "Run the command that started it again."
            ) from error

    @property
    def id(self) -> str:
        """The directory's name."""
        return self.directory.name

    def progress(self) -> dict[str, Any]:
        """The progress of the run.

        Returns:
            ``stage``, ``step`` of ``steps`` (None under a budget), last ``losses``, ``checkpoint`` (its step, or None)
            and its ``checkpoint_age`` in seconds, ``size`` in bytes.
        """
        entries = [entry for entry in TrainingLog(self.directory / LOG).entries() if "seconds" in entry]
        last = entries[-1] if entries else {"step": 0, "stage": ""}
        saved = sorted((self.directory / "ckpt").glob("step-*"))
        return {
            "stage": last["stage"],
            "step": last["step"],
            "steps": None if self.record.budget else sum(self.record.stages),
            "losses": losses(last),
            "checkpoint": int(saved[-1].name.removeprefix("step-")) if saved else None,
            "checkpoint_age": time.time() - saved[-1].stat().st_mtime if saved else None,
            "size": sum(path.stat().st_size for path in self.directory.rglob("*") if path.is_file()),
        }


def unfinished(store: Store, step: str | None = None) -> list[RunInProgress]:
    """Runs in progress, of one command or of all, oldest first; directories without a record are passed over."""
    found = []
    for path in (store.home / "runs").glob(f"*/{RECORD}"):
        try:
            found.append(RunInProgress.read(path.parent))
        except IntegrityError:
            continue
    chosen = [run for run in found if step in {None, run.record.step}]
    return sorted(chosen, key=lambda run: (run.record.started, run.id))


def find_run(store: Store, step: str, run_id: str | None) -> RunInProgress:
    """The run of a command with an id; None: the newest.

    Raises:
        BadInputError: there is none, or it is another command's.
        IntegrityError: its record cannot be read.
    """
    if run_id is None:
        runs = unfinished(store, step)
        if not runs:
            raise BadInputError(f"there is no unfinished run of {step}", "See all with `voxgrad runs`.")
        return runs[-1]
    directory = store.run_directory(run_id)
    if not directory.is_dir():
        raise BadInputError(f"there is no unfinished run {run_id}", "See all with `voxgrad runs`.")
    run = RunInProgress.read(directory)
    if run.record.step != step:
        raise BadInputError(
            f"run {run_id} was started by {run.record.step}, not by {step}", f"Use {run.record.resume}."
        )
    return run


def resume_command(store: Store, step: str, run_id: str) -> str:
    """The command that resumes a run."""
    home = "" if Store.open().home == store.home else f" --home {shlex.quote(str(store.home))}"
    return f"voxgrad {step} --resume {run_id}{home}"


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
        with atomic_write(self.path) as temporary:
            temporary.write_text(kept, encoding="utf-8")

    def seconds(self) -> float:
        """Time that all steps took."""
        return float(sum(entry.get("seconds", 0.0) for entry in self.entries()))

    def draw(self, path: Path, title: str) -> None:
        """Draws losses and held-out figures; nothing where there are none yet."""
        panels: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
        for entry in self.entries():
            for label, figures in (("training", losses(entry)), ("held out", entry.get("held_out", {}))):
                for name, value in figures.items():
                    none_yet: dict[str, tuple[list[int], list[float]]] = {"training": ([], []), "held out": ([], [])}
                    steps, values = panels.setdefault(name.replace("_", " "), none_yet)[label]
                    steps.append(entry["step"])
                    values.append(value)
        if panels:
            path.write_text(curves(panels, title), encoding="utf-8")


def losses(entry: dict[str, Any]) -> dict[str, float]:
    """The losses of a step's entry."""
    return {name: value for name, value in entry.items() if name not in _NOT_LOSSES}


def tensorboard_writer(directory: Path | None) -> Callable[[dict[str, Any]], None] | None:
    """What writes entries of a log as TensorBoard events into ``directory``; None where none is wanted."""
    if directory is None:
        return None
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an optional dependency

    writer = SummaryWriter(str(directory))

    def write(entry: dict[str, Any]) -> None:
        groups = {"training": losses(entry), "held out": entry.get("held_out", {})}
        for group, figures in groups.items():
            for name, value in figures.items():
                writer.add_scalar(f"{group}/{name}", value, entry["step"])

    return write
