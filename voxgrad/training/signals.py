"""SIGINT and SIGTERM during training: the first one waits for the step to end, the second does not."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from voxgrad.errors import ExitCode, VoxgradError

_EXITS = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
Handler = Callable[[int, FrameType | None], object] | int | None


@dataclass
class StopRequest:
    """Whether somebody asked the run to stop."""

    signal: int = 0
    """Its number; 0: nobody has."""


def stopped_by(number: int, total: int, of: int, resume: str) -> VoxgradError:
    """What ends a run that was asked to stop by a signal and has saved its state.

    Args:
        number: of the signal.
        total: steps done.
        of: steps of the whole run.
        resume: the command that goes on.
    """
    code = _EXITS[signal.Signals(number)]
    return VoxgradError(f"stopped after step {total} of {of}, saved", f"Resume with: {resume}", code)


@contextmanager
def caught() -> Iterator[StopRequest]:
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
