"""The errors that users see: a message that says what is wrong, and a hint that says what to do.

Libraries have errors of their own for a full disk, for too little memory and for shared libraries that do not fit.
`as_voxgrad_error` tells them without importing any of these libraries, which would take seconds.
"""

import errno
import os
import re
import traceback
from enum import IntEnum
from functools import cache
from itertools import dropwhile
from pathlib import Path
from typing import Final, Self


class ExitCode(IntEnum):
    """Exit codes of the process."""

    OK = 0
    BUG = 1
    BAD_INPUT = 2
    INTEGRITY = 3
    ENVIRONMENT = 4
    DIVERGED = 5
    INTERRUPTED = 130
    TERMINATED = 143


class VoxgradError(Exception):
    """An error that the user can fix.

    Args:
        message: what is wrong, one sentence without a final full stop.
        hint: how to fix it, one sentence in the imperative.
        exit_code: overrides the class's own.
    """

    exit_code = ExitCode.BUG

    def __init__(self, message: str, hint: str, exit_code: ExitCode | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if exit_code is not None:
            self.exit_code = exit_code

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, ExitCode]]:
        """Lets an error travel back from another process."""
        return type(self), (self.message, self.hint, self.exit_code)

    def __str__(self) -> str:
        """The one line that is shown."""
        return f"{self.message}. {self.hint}"


class BadInputError(VoxgradError):
    """An unusable input: a file, a text, a setting, a reference."""

    exit_code = ExitCode.BAD_INPUT


class IntegrityError(VoxgradError):
    """Stored data that do not match their digest, or have a schema that this version cannot read."""

    exit_code = ExitCode.INTEGRITY


class EnvironmentFailureError(VoxgradError):
    """A failure of the machine: a full disk, a held lock, no permission, no memory."""

    exit_code = ExitCode.ENVIRONMENT


class DivergedError(VoxgradError):
    """A loss or gradient of training is not finite."""

    exit_code = ExitCode.DIVERGED


GO_ON: Final = "Free some space, then run the same command again to continue."
_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_MEMORY: Final = re.compile(
    r"(can't|cannot) allocate memory|not enough memory|bad_alloc|bad allocation|failed to allocate memory"
    r"|out of memory|alloc_failed|failed to map segment from shared object(?!:)",
    re.IGNORECASE,
)
"""What torch, CUDA, C++, ONNX Runtime, the system and its dynamic linker say."""
_ENDED: Final = frozenset({"TerminatedWorkerError", "BrokenProcessPool"})
"""Errors of joblib and of Python's process pools."""
_RUST: Final = re.compile(r"\(os error (\d+)\)")
"""How an error of the system ends in the text of an error of safetensors."""
_HINTS: Final = {
    **dict.fromkeys(_DISK_FULL, GO_ON),
    errno.EROFS: "Choose a writable location.",
    errno.EACCES: "Change its permissions, or choose another place.",
    errno.EPERM: "Change its permissions, or choose another place.",
    errno.EIO: "Check the disk.",
    errno.EMFILE: "Close other programs.",
    errno.ENFILE: "Close other programs.",
    errno.EAGAIN: "Close other programs.",
}
_NAMES: Final = frozenset({errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP})
"""What is wrong with the name of a file that was given."""
_OTHER_HINT: Final = "Check that its folder exists and nothing else moves it, then run the same command again."
_OF_TRAINING: Final = {
    "torch",
    "torchaudio",
    "numba",
    "parselmouth",
    "safetensors",
    "joblib",
    "jinja2",
    "PIL",
}
"""Packages that the small install, voxgrad-say, does without."""
_OURS: Final = ("voxgrad", "voxgrad-say")
_OF_MANY: Final = ("all", "dev")
"""Extras that are made of others."""
_LONGEST_REASON: Final = 200


def as_voxgrad_error(error: BaseException) -> VoxgradError | None:
    """Any exception as an error for the user; None for an interruption, and for what can only be a bug."""
    if isinstance(error, VoxgradError):
        return error
    if isinstance(error, ModuleNotFoundError) and _package(error.name) in _OF_TRAINING:
        return BadInputError(
            f"this command needs {error.name}, which is not installed",
            "Install all of voxgrad: pip install voxgrad, not voxgrad-say.",
        )
    if (short := _shortage(error)) is not None:
        return short
    refused = os_error(error)
    if refused is not None and refused.errno in _HINTS:
        return _refusal(refused)
    if isinstance(error, Exception) and (broken := _broken_library(error)) is not None:
        return broken
    return None if refused is None else _refusal(refused)


def is_disk_full(error: OSError) -> bool:
    """Whether a write failed because the disk is full."""
    return error.errno in _DISK_FULL


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the processor or of the GPU is used up."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError | OSError | ImportError) and bool(_NO_MEMORY.search(str(error))))
    )


def os_error(error: BaseException) -> OSError | None:
    """The operating system's error behind an exception, if there is one."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    if (told := _RUST.search(str(error))) is not None:
        return OSError(int(told[1]), os.strerror(int(told[1])))
    if "can't start new thread" in str(error):
        return OSError(errno.EAGAIN, "No more threads can be started")
    # torch.save raises an error of its own where its file refuses to be written.
    before = error.__context__
    return before if isinstance(before, OSError) and is_disk_full(before) else None


def _shortage(error: BaseException) -> EnvironmentFailureError | None:
    if is_out_of_memory(error):
        return EnvironmentFailureError(
            "There is not enough memory", "Close other programs, or use a smaller batch size."
        )
    if type(error).__name__ in _ENDED:
        return EnvironmentFailureError(
            "A worker process ended unexpectedly, probably because memory ran out",
            "Close other programs, or use fewer processes.",
        )
    return None


def _refusal(error: OSError) -> VoxgradError:
    where = "" if error.filename is None else f" ({Path(str(error.filename)).name})"
    message = f"{error.strerror}{where}"
    found: VoxgradError = EnvironmentFailureError(message, _HINTS.get(error.errno or 0, _OTHER_HINT))
    if error.errno in _NAMES:
        found = BadInputError(message, "Give another name.")
    found.__cause__ = error
    return found


def _broken_library(error: Exception) -> EnvironmentFailureError | None:
    """An installed package that cannot be imported; None where the error is not of that kind."""
    frames = [
        (frame.f_code.co_name, _package(frame.f_globals.get("__name__")))
        for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    # An extension module that does not load has no frame of its own, but the error has its name.
    named = _package(error.name) if isinstance(error, ImportError) else ""
    of_libraries = dropwhile(lambda frame: frame[0] != "<module>" or frame[1] not in _distributions(), frames)
    packages = [*(package for _, package in of_libraries), named]
    found = list(dict.fromkeys(_distributions()[package] for package in packages if package in _distributions()))
    if not found:
        return None
    first, *others = (f"{name} {version}" for name, version in found)
    reason = str(error.__cause__ or error).strip().partition("\n")[0][:_LONGEST_REASON]
    wanted = [_requirement(name) for name, _ in found]
    # An extra also names what its packages need and do not ask for.
    wanted = [name for name in wanted if "[" in name][:1] or wanted
    how = "--upgrade" if others else "--force-reinstall"
    return EnvironmentFailureError(
        f"{first} does not load{' with ' if others else ''}{', '.join(others)} ({reason or type(error).__name__})",
        f"Repair it with: pip install {how} {' '.join(wanted)}.",
    )


def _package(module: str | None) -> str:
    return (module or "").partition(".")[0]


@cache
def _distributions() -> dict[str, tuple[str, str]]:
    """Name and version of what every importable package but voxgrad was installed by."""
    from importlib import metadata  # noqa: PLC0415 - it takes long, and only failures need it

    found: dict[str, tuple[str, str]] = {}
    for distribution in metadata.distributions():
        recorded = distribution.read_text("RECORD") or distribution.read_text("top_level.txt") or ""
        known_by = str(distribution.metadata["Name"]), distribution.version
        # What comes first on the path is what is imported.
        found = dict.fromkeys((_package(line.partition("/")[0]) for line in recorded.splitlines()), known_by) | found
    return {package: known_by for package, known_by in found.items() if package not in {"", "voxgrad"}}


def _requirement(name: str) -> str:
    """What voxgrad asks of a distribution, for a shell: ``'torch>=2.13'``, or ``'voxgrad[eval]'`` of an extra."""
    from importlib import metadata  # noqa: PLC0415 - as above

    for ours in _OURS:
        try:
            listed = metadata.requires(ours) or ()
        except metadata.PackageNotFoundError:
            continue
        for line in listed:
            wanted, _, marker = (part.strip() for part in line.partition(";"))
            if re.match(r"[\w.-]+", wanted)[0].lower() == name.lower():  # type: ignore[index]
                extra = re.search(r"extra == ['\"](.+?)['\"]", marker)
                if extra and extra[1] in _OF_MANY:
                    continue
                return f"'{ours}[{extra[1]}]'" if extra else f"'{wanted}'" if wanted != name else name
    return name
