"""Clone jobs of the page: the process that makes a voice, its progress, and its record for the next server start.

The process is ``python -m voxgrad.server.clone``. It reads one `CloneRequest` on standard input, and writes its
progress as JSON lines to standard output. SIGTERM stops it with all that it has done saved; the same request goes on
from there.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from pydantic import Field, ValidationError

from voxgrad.errors import BadInputError, ExitCode, VoxgradError, as_voxgrad_error
from voxgrad.events import Emit, Event
from voxgrad.files import atomic_write
from voxgrad.preparation.speech_recognition import installed_recogniser
from voxgrad.presets import load_preset
from voxgrad.server.http import HTTPError
from voxgrad.settings import Spec
from voxgrad.store.store import Store
from voxgrad.text.symbols import ENGLISH

_LOG = logging.getLogger("voxgrad.server")
_NICER: Final = 5  # requests for speech have priority over training
_RECORD: Final = "clone.json"
_LINE: Final = 1 << 20  # bytes of one event at most
_STOPPING: Final = 60.0  # seconds for a step to end and a checkpoint to be written
_POINTS: Final = 400  # of the curve

State = Literal["running", "stopped", "failed", "done"]


class CloneRequest(Spec):
    """The input of a clone job: recordings, consent, preset."""

    home: str
    folder: str
    """Recordings with their texts."""
    name: str
    """Of the voice and its dataset."""
    speaker: str
    consent: str
    """As the manifest will have it."""
    language: str = ENGLISH
    """Of the recordings."""
    preset: str = "fast"
    minutes: float | None = None
    """Of training; None: as many as the preset takes."""
    overrides: tuple[str, ...] = ()
    """``key=value`` for the preset."""


def clone(asked: CloneRequest, emit: Emit) -> dict[str, Any]:
    """Make a voice, or continue with it; existing results are reused.

    Raises:
        VoxgradError: the recordings cannot be used, the disk is full, or SIGTERM stopped it.
    """
    # Only here, because the server itself needs no torch.
    from voxgrad.clone import clone as make_voice  # noqa: PLC0415
    from voxgrad.steps.evaluate import card  # noqa: PLC0415
    from voxgrad.steps.prepare import Options  # noqa: PLC0415
    from voxgrad.training.run import RunOptions, with_time_for_card  # noqa: PLC0415

    store = Store.open(Path(asked.home))
    recogniser = installed_recogniser("faster-whisper", asked.language)
    how = with_time_for_card(RunOptions(budget=None if asked.minutes is None else 60 * asked.minutes))
    dataset, voice = make_voice(
        store,
        Path(asked.folder),
        name=asked.name,
        language=asked.language,
        preset=load_preset(asked.preset, asked.overrides),
        options=Options(recogniser=recogniser, speaker=asked.speaker, consent=asked.consent, jobs=1),
        emit=emit,
        run=how,
    )
    page = card(store, voice, emit, how.end)
    metrics = dataset.manifest.metrics
    return {
        "voice": voice.ref,
        "card": page.ref,
        "verdict": page.manifest.metrics["verdict"],
        **{name: metrics[name] for name in ("clips", "rejected", "seconds")},
    }


class CloneRecord(Spec):
    """``clone.json`` in a session's folder: the request and its result."""

    preset: str
    minutes: float | None
    state: State
    message: str = ""
    result: dict[str, Any] = Field(default_factory=dict)


@dataclass
class _Task:
    total: int | None
    done: float = 0
    before: float = 0
    """What an earlier process did."""
    began: float = 0.0
    first: float | None = None

    def advance(self, done: float) -> None:
        if self.first is None:  # it may be resumed far into the work
            self.began, self.first = time.monotonic(), done
        self.done = done

    def seconds_left(self) -> float | None:
        """None where it cannot be estimated."""
        if self.first is None or self.total is None or self.done <= self.first:
            return None
        pace = (time.monotonic() - self.began) / (self.done - self.first)
        return round(pace * (self.total - self.done), 1)


@dataclass
class CloneJob:
    """One clone job."""

    directory: Path
    """Of the session."""
    request: CloneRequest
    state: State = "running"
    """It is ``running`` until its process has ended: before that, none can go on where it stops."""
    outcome: State | None = None
    """The state that its process said it would end with."""
    message: str = ""
    """Why it failed, or its last remark."""
    tasks: dict[str, _Task] = field(default_factory=lambda: {"load": _Task(None)})
    """``load`` while the process starts, then ``prepare``, ``train`` and so on; clients are shown the last."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    """Figures of the held-out clips by step."""
    result: dict[str, Any] = field(default_factory=dict)
    """Voice, card and counts once it is done."""
    process: asyncio.subprocess.Process | None = None
    began: float = field(default_factory=time.monotonic)

    def take(self, event: dict[str, Any]) -> None:
        """Handle one line from the process."""
        self.tasks.pop("load", None)  # what speaks is loaded
        match event:
            case {"event": "began", "task": task, "total": total, "done": done}:
                self.tasks[task] = _Task(total, done, done)
            case {"event": "advanced", "task": task, "done": done} if task in self.tasks:
                self.tasks[task].advance(done)
            case {"event": "ended", "task": task}:
                self.tasks.pop(task, None)
            case {"event": "measured", "step": step, "stage": stage, "figures": figures}:
                self.curve = [*self.curve, {"step": step, "stage": stage, **figures}][-_POINTS:]
            case {"event": "said", "text": text}:
                self.message = text
            case {"event": "done", **result}:
                self.outcome, self.result, self.message = "done", dict(result), ""
            case {"event": "failed", "message": message, "exit_code": code}:
                stopped = code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}
                self.outcome, self.message = "stopped" if stopped else "failed", message

    def end(self, code: int) -> None:
        """Handle the end of the process."""
        self.process = None
        if self.outcome is not None:
            self.state = self.outcome
        elif code in {-signal.SIGKILL, -signal.SIGTERM}:
            self.state, self.message = "stopped", "Stopped."
        else:
            self.state, self.message = "failed", f"It ended with code {code}."

    def terminate(self) -> None:
        """Have the process save what it has done, and end."""
        with suppress(ProcessLookupError):
            if self.process is not None:
                self.process.terminate()

    def shown(self) -> dict[str, Any]:
        """As clients see it."""
        name, task = next(reversed(self.tasks.items()), ("", _Task(None)))
        return {
            "session": self.directory.name,
            "name": self.request.name,
            **self._record.model_dump(),
            "task": name,
            "done": task.done,
            "total": task.total,
            "before": task.before,
            "seconds_left": task.seconds_left(),
            "seconds": round(time.monotonic() - self.began, 1),
            "curve": self.curve,
        }

    def save(self) -> None:
        """Write the record.

        Raises:
            EnvironmentFailureError: the disk is full or cannot be written.
        """
        with atomic_write(self.directory / _RECORD) as temporary:
            temporary.write_text(self._record.model_dump_json(), encoding="utf-8")

    @property
    def _record(self) -> CloneRecord:
        asked = self.request
        return CloneRecord(
            preset=asked.preset, minutes=asked.minutes, state=self.state, message=self.message, result=self.result
        )


class CloneJobs:
    """The running clone job, and finished or stopped ones, by session."""

    def __init__(self) -> None:
        self._jobs: dict[str, CloneJob] = {}
        self._watchers: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> CloneJob | None:
        """The running job, if there is one."""
        return next((job for job in self._jobs.values() if job.state == "running"), None)

    def require_idle(self) -> None:
        """Check that no job is running: two at once would take twice as long.

        Raises:
            HTTPError: 409, one is.
        """
        if (busy := self.running) is not None:
            message = f"The voice {busy.request.name} is being made: wait, or cancel it."
            raise HTTPError(409, message, code="busy")

    async def start(self, directory: Path, request: CloneRequest) -> CloneJob:
        """Start a job, or continue where the same request of the session stopped.

        Raises:
            HTTPError: see `require_idle`.
            EnvironmentFailureError: the disk is full or cannot be written.
        """
        self.require_idle()
        job = self._jobs[directory.name] = CloneJob(directory, request)
        try:
            job.save()
            job.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "voxgrad.server.clone"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LINE,
                start_new_session=True,  # Ctrl-C ends the server, which stops it in order
            )
        except BaseException:
            del self._jobs[directory.name]  # nothing runs, and others may
            raise
        watcher = asyncio.create_task(self._watch(job, job.process))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return job

    async def _watch(self, job: CloneJob, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
        with suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(job.request.model_dump_json().encode())
            await process.stdin.drain()
        process.stdin.close()
        async for line in process.stdout:
            with suppress(ValueError):
                job.take(json.loads(line))
        job.end(await process.wait())
        try:
            job.save()
        except VoxgradError:
            _LOG.exception("the record of a clone could not be written")

    def stop(self, session: str) -> None:
        """Stop the running job and save its state.

        Raises:
            BadInputError: it is not running.
        """
        job = self._jobs.get(session)
        if job is None or job.process is None:
            raise BadInputError("no voice is being made from this session", "Start one first.")
        job.terminate()

    async def close(self) -> None:
        """Stop the running job, and wait until its state is saved."""
        for job in self._jobs.values():
            job.terminate()
        if self._watchers:
            await asyncio.wait(self._watchers, timeout=_STOPPING)
        for job in self._jobs.values():
            if job.process is not None:
                job.process.kill()

    def shown(self, directory: Path) -> dict[str, Any] | None:
        """The state of a session's job, from memory or from its record."""
        job = self._jobs.get(directory.name)
        if job is not None:
            return job.shown()
        try:
            record = CloneRecord.model_validate_json((directory / _RECORD).read_bytes())
        except (OSError, ValidationError):
            return None
        # What was running when the server ended does not run any more.
        state = "stopped" if record.state == "running" else record.state
        return {**record.model_dump(), "state": state, "session": directory.name, "curve": []}


def main() -> int:
    """Read a request and report its progress; returns the exit code."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    with suppress(OSError):
        os.nice(_NICER)

    def tell(kind: str, content: dict[str, Any]) -> None:
        sys.stdout.write(f"{json.dumps({'event': kind, **content})}\n")
        sys.stdout.flush()

    def failed(message: str, code: ExitCode) -> int:
        tell("failed", {"message": message, "exit_code": int(code)})
        return int(code)

    def emit(event: Event) -> None:
        tell(type(event).__name__.lower(), asdict(event))

    try:
        tell("done", clone(CloneRequest.model_validate_json(sys.stdin.read()), emit))
    except KeyboardInterrupt:
        return failed("Stopped.", ExitCode.TERMINATED)
    except Exception as error:
        if (known := as_voxgrad_error(error)) is None:
            raise
        return failed(str(known), known.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
