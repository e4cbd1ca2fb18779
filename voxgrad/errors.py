"""The errors that a person sees: one line that says what is wrong, one that says how to mend it."""

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """What the process answers to the shell."""

    OK = 0
    BUG = 1
    BAD_INPUT = 2
    INTEGRITY = 3
    ENVIRONMENT = 4
    DIVERGED = 5
    INTERRUPTED = 130
    TERMINATED = 143


class VoxgradError(Exception):
    """Something that the person can mend.

    Args:
        message: what is wrong, one sentence without a final full stop.
        hint: how to mend it, one sentence in the imperative.
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
    """What was given cannot be used: a file, a text, a setting, a reference."""

    exit_code = ExitCode.BAD_INPUT


class IntegrityError(VoxgradError):
    """What is stored does not agree with its digest, or has a schema that this version cannot read."""

    exit_code = ExitCode.INTEGRITY


class EnvironmentFailureError(VoxgradError):
    """The machine refuses: a full disk, a lock that is held, no permission, no memory."""

    exit_code = ExitCode.ENVIRONMENT


class DivergedError(VoxgradError):
    """Training met a number that is not finite."""

    exit_code = ExitCode.DIVERGED
