"""Standard input, output and error where they are closed, full, or nobody reads them any more."""

import os
import sys
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, cast

from voxgrad.errors import BadInputError


class UnfailingStream:
    """Standard error as a log: what cannot be written to it is lost, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write as far as possible."""
        try:
            return self._stream.write(text)
        except OSError:
            silence(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush as far as possible."""
        try:
            self._stream.flush()
        except OSError:
            silence(self._stream)


def input_lines() -> Iterator[str]:
    """The lines of standard input as they come, in any of the usual encodings.

    Raises:
        BadInputError: it is no text, or cannot be read.
    """
    from voxgrad.unicode import read_lines

    try:
        yield from read_lines(sys.stdin.buffer, "standard input")
    except OSError as error:
        raise BadInputError(f"standard input cannot be read ({error.strerror})", "Give a text.") from error


def silence(stream: TextIO) -> None:
    """Send what is and will be written to a stream nowhere. Python would complain of it once more while it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def secure_standard_streams() -> None:
    """Open the null device for every stream that is closed, and let a standard error that refuses stop nothing.

    Were their numbers left free, the next files to be opened would take them, and what a library writes to standard
    output would land in a file of ours.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - as long as the process lives
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    # A name of a file, or a word, that the terminal's encoding cannot write is written by its numbers.
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")
    sys.stderr = cast("TextIO", UnfailingStream(sys.stderr))
