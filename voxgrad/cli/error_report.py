"""How a failure is shown: one line that says what is wrong and how to mend it, and an exit code."""

import json
import sys
import traceback
from dataclasses import asdict, dataclass

import typer

from voxgrad.cli.shared_options import RANK, Session
from voxgrad.errors import ExitCode, VoxgradError
from voxgrad.system_errors import as_voxgrad_error


class Terminated(KeyboardInterrupt):
    """Somebody asked the process to end (SIGTERM); what handles an interruption handles this too."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What is shown of an exception."""

    message: str
    """Without a final full stop."""
    hint: str
    exit_code: int

    @property
    def line(self) -> str:
        """The whole of it on one line; what it quotes of an untrusted file cannot control the terminal."""
        stop = "" if self.message.endswith(("?", "!")) else "."
        words = " ".join(f"error: {self.message}{stop} {self.hint}".split())
        return "".join(sign if sign.isprintable() else "�" for sign in words)


def failed(error: BaseException) -> Failure:
    """What to show of ``error``."""
    if isinstance(error, typer.TyperException):
        return _misused(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        ended = ("terminated", 143) if isinstance(error, Terminated) else ("interrupted", 130)
        return Failure(ended[0], "Run the same command again to go on.", ended[1])
    if (known := as_voxgrad_error(error)) is not None:
        return Failure(known.message, known.hint, int(known.exit_code))
    said = f": {error}" if str(error) else ""
    return Failure(
        f"internal error: {type(error).__name__}{said}", "Run again with -v and report it.", int(ExitCode.BUG)
    )


def report(error: BaseException, session: Session) -> int:
    """Show a failure once; returns the exit code."""
    traceback.clear_frames(error.__traceback__)  # what the command held, for where memory is short
    failure = failed(error)
    if session.verbose and not isinstance(error, VoxgradError | typer.TyperException | KeyboardInterrupt):
        traceback.print_exception(error)
    if RANK and failure.exit_code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}:
        return failure.exit_code  # the first process tells of it
    sys.stderr.write(f"process {RANK}: {failure.line}\n" if RANK else f"{failure.line}\n")
    if session.json:
        sys.stdout.write(f"{json.dumps({'error': asdict(failure)})}\n")
    return failure.exit_code


def _misused(error: typer.TyperException) -> Failure:
    """A usage error, which knows the command that it happened in."""
    context = getattr(error, "ctx", None)
    command = "voxgrad" if context is None else context.command_path
    return Failure(error.format_message().rstrip("."), f"Run '{command} -h' for help.", error.exit_code)
