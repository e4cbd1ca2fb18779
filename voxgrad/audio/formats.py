"""Opening sound files: what libsndfile reads, what ffmpeg makes readable, and what neither does."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import soundfile

from voxgrad.errors import BadInputError

# Writers that cannot seek back leave a size near 2 or 4 GiB in a RIFF header: it says nothing.
_UNKNOWN_SIZE = 0x7FFF0000
_FFMPEG_SECONDS = 600

FFMPEG_ENDINGS = frozenset({".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".mov", ".amr", ".ac3", ".3gp"})
"""Formats that ffmpeg is asked for."""


@contextmanager
def open_audio(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a sound file for reading.

    Raises:
        BadInputError: it is missing, a folder, empty, cut short or no sound; or its format needs ffmpeg, which is
            not installed.
    """
    start = _first_bytes(path)
    with tempfile.TemporaryDirectory() as room:
        readable = _decoded(path, Path(room)) if _needs_ffmpeg(path, start) else path
        try:
            with soundfile.SoundFile(readable) as file:
                if file.frames == 0:
                    raise BadInputError(f"{path} holds no samples", "Leave it out, or record it again.")
                yield file
        except soundfile.LibsndfileError as error:
            raise _no_sound(path, start, error) from error


def _needs_ffmpeg(path: Path, start: bytes) -> bool:
    """Whether a file is of a format that libsndfile does not know: by its ending, or MPEG-4 under any."""
    return path.suffix.lower() in FFMPEG_ENDINGS or start[4:8] == b"ftyp"


def _decoded(path: Path, room: Path) -> Path:
    """Let ffmpeg write the sound as a float WAV into ``room``."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        message = f"{path} needs ffmpeg to be read, and that is not installed"
        raise BadInputError(message, "Install ffmpeg, or export it as WAV.")
    target = room / "decoded.wav"
    # The protocols are limited, so that no playlist can have ffmpeg fetch something.
    command = [ffmpeg, "-v", "error", "-nostdin", "-protocol_whitelist", "file", "-i", f"file:{path}"]
    command += ["-map", "0:a:0", "-c:a", "pcm_f32le", str(target)]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_FFMPEG_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInputError(f"{path} could not be read by ffmpeg", "Export it as WAV.") from error
    if done.returncode or not target.is_file():
        raise BadInputError(f"{path} is damaged or no sound file (ffmpeg)", "Export it again as WAV or FLAC.")
    return target


def _no_sound(path: Path, start: bytes, error: soundfile.LibsndfileError) -> BadInputError:
    if start.lstrip()[:1] == b"<":
        return BadInputError(f"{path} is a web page, not a sound", "Download the recording itself.")
    reason = error.error_string.rstrip(".")
    return BadInputError(f"{path} is damaged or no sound file ({reason})", "Export it again as WAV or FLAC.")


def _first_bytes(path: Path) -> bytes:
    """Refuse what is no regular file, what is empty, and what is shorter than its own header says."""
    if not path.exists():
        raise BadInputError(f"{path} does not exist", "Check the path.")
    if not path.is_file():
        raise BadInputError(f"{path} is not a file", "Name a sound file.")
    if path.suffix.lower() == ".raw":
        raise BadInputError(f"{path} has no header, so its rate is unknown", "Convert it to WAV.")
    size = path.stat().st_size
    if size == 0:
        raise BadInputError(f"{path} is empty (0 bytes)", "Copy or record it again.")
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror})"
        raise BadInputError(message, "Check its permissions.") from error
    magic, length = start[:4], start[4:8]
    # libsndfile reads a WAV or AIFF that was cut short without a word, up to where it ends. The length should
    # not count the first 8 bytes, but some writers do count them.
    orders: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"FORM": "big"}
    if magic in orders and size < int.from_bytes(length, orders[magic]) < _UNKNOWN_SIZE:
        raise cut_short(path)
    return start


def cut_short(path: Path) -> BadInputError:
    """What to say of a file that ends too early."""
    return BadInputError(f"{path} is cut short: it ends before its header says", "Copy or export it again.")
