"""How a failure is shown: one line that says what is wrong and how to mend it, and an exit code."""

import errno
import json
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from voxgrad.cli.shared_options import RANK, Session
from voxgrad.errors import BadInputError, ExitCode, VoxgradError

_MENDED = {
    errno.ENOSPC: "Free some space.",
    errno.EDQUOT: "Free some space, or have your quota raised.",
    errno.EROFS: "Choose a place that can be written.",
    errno.EACCES: "Change its permissions, or choose another place.",
    errno.EPERM: "Change its permissions, or choose another place.",
    errno.EIO: "Check the disk.",
    errno.EMFILE: "Close other programs.",
    errno.ENFILE: "Close other programs.",
}
"""What a machine refuses, and how that is mended; any other failure of the system is a bug of ours."""


_OF_TRAINING = {
    "torch",
    "torchaudio",
    "numba",
    "parselmouth",
    "safetensors",
    "joblib",
    "matplotlib",
    "jinja2",
    "PIL",
}
"""Packages that the small install, voxgrad-say, does without."""


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
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] in _OF_TRAINING:
        message = f"this needs {error.name}, which is not installed"
        error = BadInputError(message, "Install all of voxgrad: pip install voxgrad, not voxgrad-say.")
    if isinstance(error, VoxgradError):
        return Failure(error.message, error.hint, int(error.exit_code))
    if isinstance(error, typer.TyperException):
        return _misused(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        ended = ("terminated", 143) if isinstance(error, Terminated) else ("interrupted", 130)
        return Failure(ended[0], "Run the same command again to go on.", ended[1])
    environment = int(ExitCode.ENVIRONMENT)
    if isinstance(error, OSError) and error.errno in _MENDED:
        where = "" if error.filename is None else f" ({Path(str(error.filename)).name})"
        return Failure(f"{error.strerror}{where}", _MENDED[error.errno], environment)
    if _is_out_of_memory(error):
        hint = "Close other programs, or choose a smaller batch."
        return Failure("There is not enough memory", hint, environment)
    said = f": {error}" if str(error) else ""
    return Failure(
        f"internal error: {type(error).__name__}{said}", "Run again with -v and report it.", int(ExitCode.BUG)
    )


def report(error: BaseException, session: Session) -> int:
    """Show a failure once; returns the exit code."""
    failure = failed(error)
    if session.verbose and failure.exit_code == ExitCode.BUG:
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


def _is_out_of_memory(error: BaseException) -> bool:
    # Torch's errors are told by name and text, for importing torch would take seconds.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(error)
    )
