"""Audio files written piece by piece, with a comment that holds their metadata; and the comment read back."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import numpy as np
import soundfile

from voxgrad.audio.codecs import read_tags
from voxgrad.audio.io import SUBTYPES, Samples, atomic_audio, check_writable, to_pcm
from voxgrad.errors import BadInputError, EnvironmentFailureError

SOFTWARE: Final = "voxgrad"
_BLOCK: Final = 1 << 16
_TAGGED: Final = frozenset((".m4b", ".m4a", ".opus"))
"""What libsndfile does not read, or not with a long comment."""
_UNKNOWN: Final = 0xFFFFFFFF
_MOST_REMARK: Final = 1 << 26  # bytes; a longer one is no remark of ours


class AudioWriter(Protocol):
    """An audio file or stream that is written piece by piece."""

    def write(self, samples: Samples) -> None:
        """Take (n,) float32 samples; what passes ±1 is clipped."""
        ...


class RawWriter:
    """16-bit little-endian samples and nothing else."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, samples: Samples) -> None:
        """Take (n,) float32 samples, and hand them on at once."""
        self._file.write(to_pcm(samples).astype("<i2").tobytes())
        self._file.flush()


class WaveWriter(RawWriter):
    """A 16-bit mono WAV whose remark stands before the audio, so that it can be streamed; only `close` needs to seek.

    Until `close` its sizes say "unknown" (all ones), which readers take for "up to the end". The remark, in ASCII, is
    the ``ICMT`` of a ``LIST INFO`` chunk (RIFF MCI, 1991).
    """

    def __init__(self, file: BinaryIO, rate: int, remark: str) -> None:
        super().__init__(file)
        info = b"INFO" + _chunk(b"ISFT", _text(SOFTWARE)) + _chunk(b"ICMT", _text(remark))
        form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
        self._header = b"WAVE" + _chunk(b"fmt ", form) + _chunk(b"LIST", info)
        file.write(b"RIFF" + struct.pack("<I", _UNKNOWN) + self._header + b"data" + struct.pack("<I", _UNKNOWN))

    def close(self) -> None:
        """Fill in the sizes."""
        before = len(self._header) + 16
        size = self._file.tell() - before
        for place, value in ((4, before - 8 + size), (before - 4, size)):
            self._file.seek(place)
            self._file.write(struct.pack("<I", min(value, _UNKNOWN)))


class _SoundfileWriter:
    """What libsndfile writes: FLAC, Ogg Vorbis, MP3."""

    def __init__(self, file: soundfile.SoundFile) -> None:
        self._file = file

    def write(self, samples: Samples) -> None:
        pcm = to_pcm(samples)
        # In blocks, because libsndfile's Vorbis encoder keeps what one call gives it on the stack.
        for start in range(0, len(pcm), _BLOCK):
            self._file.write(pcm[start : start + _BLOCK])


@contextmanager
def open_writer(path: Path, rate: int, remark: str) -> Iterator[AudioWriter]:
    """Write a WAV, FLAC, Ogg Vorbis or MP3, as its name ends. It appears complete at the end, or not at all.

    Raises:
        BadInputError: the name ends in none of these, or its folder does not exist.
        EnvironmentFailureError: the disk refuses.
    """
    kind = check_writable(path)
    with atomic_audio(path) as place:
        if kind == "wav":
            with place.open("wb") as plain:
                wave = WaveWriter(plain, rate, remark)
                yield wave
                wave.close()
            return
        with soundfile.SoundFile(place, "w", rate, 1, SUBTYPES[kind], format=kind.upper()) as file:
            file.software, file.comment = SOFTWARE, remark
            yield _SoundfileWriter(file)


def check_writable_audio(path: Path) -> None:
    """See that an audio file can be written to ``path`` before any work is done for it.

    Raises:
        BadInputError: as `check_writable`.
        EnvironmentFailureError: the folder may not be written.
    """
    check_writable(path)
    probe = path.with_name(f".{path.name}.probe")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror})"
        raise EnvironmentFailureError(message, "Check the folder's permissions, or name another.") from error


def convert(source: Path, target: Path, remark: str) -> None:
    """Write an audio file of ours again, in the format of the target's name, block by block.

    Raises:
        BadInputError: the target cannot be an audio file.
        EnvironmentFailureError: the disk refuses.
    """
    with soundfile.SoundFile(source) as file, open_writer(target, file.samplerate, remark) as sink:
        for block in file.blocks(_BLOCK, dtype="float32"):
            sink.write(block * np.float32(32768 / 32767))


def read_comment(path: Path) -> str:
    """The remark in an audio file, empty where there is none.

    Raises:
        BadInputError: the file is missing, or not an audio file.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) == b"RIFF":
                return _riff_comment(file)
        if path.suffix.lower() in _TAGGED:
            return _tagged_comment(path)
        with soundfile.SoundFile(path) as audio:
            comment = str(audio.comment)
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, error.error_string.rstrip(".")) from error
    except TypeError as error:  # of .raw, whose rate libsndfile wants to be told
        raise _unreadable(path, "it has no header") from error
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    try:
        return comment or _tagged_comment(path)
    except (BadInputError, EnvironmentFailureError):
        return ""  # libsndfile reads it, and it is most likely none of ours


def _tagged_comment(path: Path) -> str:
    """The comment of an audiobook, or of what the server sent: FFmpeg names it otherwise than libsndfile."""
    return read_tags(path)[0].get("comment", "")


def _unreadable(path: Path, reason: str) -> BadInputError:
    return BadInputError(f"{path} cannot be read as audio ({reason})", "Name an audio file.")


def _riff_comment(file: BinaryIO) -> str:
    """The ``ICMT`` of a RIFF file, of which the first four bytes are read; chunks may stand in any order."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"LIST" and size < _MOST_REMARK:
            if comment := _comment_within(file.read(size + size % 2)):
                return comment
        elif size == _UNKNOWN:
            return ""
        else:
            file.seek(size + size % 2, 1)
    return ""


def _comment_within(content: bytes) -> str:
    position = 4 if content[:4] == b"INFO" else len(content)
    while position + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, position)
        if name == b"ICMT":
            return content[position + 8 : position + 8 + size].rstrip(b"\0").decode("utf-8", "replace")
        position += 8 + size + size % 2
    return ""


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _text(text: str) -> bytes:
    return text.encode("ascii", "replace") + b"\0"
