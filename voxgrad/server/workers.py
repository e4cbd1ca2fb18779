"""Worker processes: their functions, and the order of their work."""

import asyncio
import multiprocessing
import os
import signal
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from voxgrad.errors import EnvironmentFailureError, as_voxgrad_error
from voxgrad.events import ignore
from voxgrad.presets import load_prepare_preset
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.store.artifact import Artifact, ArtifactLocation
from voxgrad.store.store import Store
from voxgrad.text.passages import Passage
from voxgrad.voice.engine import LocalEngine, PassageAudio
from voxgrad.voice.load import Graphs, load_engine

THREADS = 1
"""Of every worker: more processes do more work than more threads."""
_OVERHEAD = 1.5  # of a loaded voice over its weights: buffers, and what the first passages allocate

_voices: "OrderedDict[tuple[Any, ...], tuple[LocalEngine, int]]" = OrderedDict()
_limit = 0


class WorkerBugError(Exception):
    """A bug in a worker; the text is the traceback."""


def run(connection: Connection, megabytes: int) -> None:
    """Run a worker: answer calls until the other side closes the connection.

    Each message is ``(function, arguments)``, each answer ``(done, value)``; ``megabytes`` are for loaded voices.
    """
    global _limit  # noqa: PLW0603 - one worker is one process
    _limit = megabytes * 1_000_000
    # Ctrl-C goes to all processes of a terminal; the server lets answers in progress end first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(THREADS)  # of torch, which is imported when something needs it
    while True:
        try:
            function, arguments = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[bool, Any] = (True, function(*arguments))
        except Exception as error:  # noqa: BLE001 - one bad request must not end the worker
            answer = (False, as_voxgrad_error(error) or WorkerBugError(traceback.format_exc()))
        try:
            connection.send(answer)
        except OSError:
            return


def speak(
    voice: ArtifactLocation,
    vocoder: ArtifactLocation | None,
    graphs: Graphs | None,
    language: tuple[ArtifactLocation, str] | None,
    passage: Passage,
    synthesis: SynthesisSpec,
    delivery: DeliverySpec,
    seed: int,
    pauses: Sequence[tuple[int, float]],
) -> tuple[PassageAudio, float]:
    """One passage of a text, and the seconds that it took; see `Engine.speak`. Without graphs, torch speaks.

    Raises:
        BadInputError: a setting cannot be used.
        IntegrityError: voice or vocoder is damaged, or was removed.
    """
    began = time.perf_counter()
    spoken = _loaded(voice, vocoder, graphs, language).speak(passage, synthesis, delivery, seed, pauses)
    return spoken, time.perf_counter() - began


def _loaded(
    voice: ArtifactLocation,
    vocoder: ArtifactLocation | None,
    graphs: Graphs | None,
    language: tuple[ArtifactLocation, str] | None,
) -> LocalEngine:
    """A voice with its vocoder, from memory or from the store; the least recently used make room for it."""
    key = (voice, vocoder, graphs, language)
    if key not in _voices:
        sound = None if vocoder is None else Artifact.load(vocoder)
        taught = None if language is None else (Artifact.load(language[0]), language[1])
        engine = load_engine(Artifact.load(voice), sound, graphs, THREADS, taught)
        size = int(_OVERHEAD * engine.size)
        while _voices and size + sum(held for _, held in _voices.values()) > _limit:
            _voices.popitem(last=False)
        _voices[key] = (engine, size)
    _voices.move_to_end(key)
    return _voices[key][0]


def check(recording: Path, text: str, others: Sequence[str], language: str) -> dict[str, Any]:
    """A recording of a prompt, checked; see `voxgrad.preparation.take_checks.check_take`."""
    from voxgrad.preparation.take_checks import check_take  # noqa: PLC0415 - it needs torch

    return asdict(check_take(recording, text, others, load_prepare_preset("prepare"), language))


def make_card(home: Path, voice: ArtifactLocation) -> str:
    """The page that compares a voice with its base, or the one that exists; returns its reference.

    Raises:
        BadInputError: base or dataset are not here any more.
    """
    from voxgrad.steps.evaluate import card  # noqa: PLC0415 - it needs torch

    return card(Store.open(home), Artifact.load(voice), ignore).ref


T = TypeVar("T")
_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2)
_SPAWN: Final = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang
_TRIES: Final = 2  # work that ends a worker twice is not given to a third
_FIRST_IN_ROW: Final = 3  # first passages that may go before a later one that waits
_PATIENCE: Final = 5.0  # seconds for a worker to end


class Metrics:
    """The metrics of a server, in Prometheus' text format."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        self.requests = counter("voxgrad_requests", "Requests by route and status.", ["route", "status"])
        self.audio_seconds = counter("voxgrad_audio_seconds", "Seconds of audio that were spoken.")
        self.work_seconds = counter(
            "voxgrad_synthesis_seconds",
            "Seconds from giving a passage to a worker until it was spoken, waiting excluded.",
        )
        self.real_time_factor = gauge("voxgrad_real_time_factor", "Real-time factor of the last passage.")
        self.first_audio = Histogram(
            "voxgrad_first_audio_seconds",
            "Seconds from a request to its first audio.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.active = gauge("voxgrad_requests_active", "Speech requests in progress or waiting.")
        self.waiting = gauge("voxgrad_queue_passages", "Passages and checks that wait for a worker.")
        self.refused = counter("voxgrad_requests_refused", "Requests refused because the queue was full.")
        self.cancelled = counter("voxgrad_requests_cancelled", "Requests whose client disconnected before the end.")
        self.workers_lost = counter("voxgrad_workers_lost", "Worker processes that ended unexpectedly.")


class WorkerDiedError(Exception):
    """A worker ended, or took too long, in the middle of its work."""


class _Process:
    """One worker process; `exchange` blocks, and is called in a thread."""

    def __init__(self, megabytes: int) -> None:
        self._connection, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=run, args=(theirs, megabytes), daemon=True)
        self.process.start()
        theirs.close()

    def exchange(self, message: tuple[Any, tuple[Any, ...]], patience: float) -> Any:
        """Call a function in the process; raises what it raises."""
        try:
            self._connection.send(message)
            if not self._connection.poll(patience):
                raise WorkerDiedError
            done, value = self._connection.recv()
        except (EOFError, OSError) as error:
            raise WorkerDiedError from error
        if not done:
            raise value
        return value

    def end(self) -> None:
        # In this order: a thread that waits for an answer sees the end of the pipe.
        self.process.kill()
        self.process.join(_PATIENCE)
        self._connection.close()


@dataclass(eq=False)
class _Task:
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    done: "asyncio.Future[Any]"
    tries: int = 0


class WorkerPool:
    """The worker processes and their queue.

    What is asked first of a request goes before what is asked later, so that a short sentence need not wait for the
    passages of a book; but after three such, a later one has its turn, so that the book goes on too.

    Each has so many ``megabytes`` for loaded voices, and ``patience`` seconds for one call.
    """

    def __init__(self, workers: int, megabytes: int, patience: float, metrics: Metrics) -> None:
        self.workers = workers
        self._megabytes, self._patience, self._metrics = megabytes, patience, metrics
        self._first: deque[_Task] = deque()
        self._later: deque[_Task] = deque()
        self._firsts_in_row = 0
        self._wake = asyncio.Condition()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._servers: list[asyncio.Task[None]] = []
        self.processes: dict[int, _Process] = {}

    async def start(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Start all workers, each of which makes a call before it is given any other.

        Raises:
            VoxgradError: the call failed.
            EnvironmentFailureError: a worker ended in it.
        """
        for number in range(self.workers):
            self.processes[number] = _Process(self._megabytes)
        loop, message = asyncio.get_running_loop(), (function, arguments)
        calls = [
            loop.run_in_executor(self._threads, process.exchange, message, self._patience)
            for process in self.processes.values()
        ]
        try:
            await asyncio.gather(*calls)
        except BaseException as error:
            self._end_processes()
            if isinstance(error, WorkerDiedError):
                raise _given_up() from error
            raise
        self._servers = [asyncio.create_task(self._serve(number)) for number in range(self.workers)]

    async def call(self, function: Callable[..., T], *arguments: Any, later: bool = False) -> T:
        """Have a worker call a function of a module; cancelled, what waits is not begun.

        Arguments and answer must be such as can be pickled; ``later`` calls go on with something that has begun.

        Raises:
            VoxgradError: as the function raises it.
            WorkerBugError: the function raised anything else.
            EnvironmentFailureError: two workers ended in it, or took too long.
        """
        task = _Task(function, arguments, asyncio.get_running_loop().create_future())
        async with self._wake:
            (self._later if later else self._first).append(task)
            self._wake.notify()
        self._metrics.waiting.set(self.waiting)
        answer: T = await task.done
        return answer

    @property
    def waiting(self) -> int:
        """The number of calls that no worker has started."""
        return sum(not task.done.done() for queue in (self._first, self._later) for task in queue)

    async def close(self) -> None:
        """End all workers; calls that wait or run fail."""
        for server in self._servers:
            server.cancel()
        await asyncio.to_thread(self._end_processes)
        await asyncio.gather(*self._servers, return_exceptions=True)
        for task in (*self._first, *self._later):
            task.done.cancel()
        self._threads.shutdown(wait=True)

    def _end_processes(self) -> None:
        for process in self.processes.values():
            process.end()

    async def _serve(self, number: int) -> None:
        """Give work to one process, for as long as the pool is open."""
        loop = asyncio.get_running_loop()
        while True:
            task = await self._next()
            process, message = self.processes[number], (task.function, task.arguments)
            try:
                value = await loop.run_in_executor(self._threads, process.exchange, message, self._patience)
            except WorkerDiedError:
                self._metrics.workers_lost.inc()
                await asyncio.to_thread(process.end)
                self.processes[number] = _Process(self._megabytes)
                await self._try_again(task)
            except Exception as error:  # noqa: BLE001 - the caller gets it
                if not task.done.done():
                    task.done.set_exception(error)
            else:
                if not task.done.done():
                    task.done.set_result(value)

    async def _try_again(self, task: _Task) -> None:
        task.tries += 1
        if task.done.done():
            return
        if task.tries >= _TRIES:
            task.done.set_exception(_given_up())
            return
        async with self._wake:
            self._first.appendleft(task)
            self._wake.notify()

    async def _next(self) -> _Task:
        async with self._wake:
            while True:
                await self._wake.wait_for(lambda: self._first or self._later)
                first = bool(self._first) and not (self._later and self._firsts_in_row >= _FIRST_IN_ROW)
                task = (self._first if first else self._later).popleft()
                if not task.done.done():  # else the caller has left
                    self._firsts_in_row = self._firsts_in_row + 1 if first else 0
                    self._metrics.waiting.set(self.waiting)
                    return task


def _given_up() -> EnvironmentFailureError:
    return EnvironmentFailureError(
        "the worker process ended, or took too long",
        "Try again. If it happens again, check the memory of the server.",
    )
