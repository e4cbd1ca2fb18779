"""Audio files written piece by piece, with a comment that holds their metadata; and the comment read back."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import numpy as np
import soundfile

from voxgrad.audio.codecs import Encoding, check_format, mp3_bit_rates, open_codec_writer, read_tags, require_av
from voxgrad.audio.io import SUBTYPES, Samples, atomic_audio, check_writable, to_pcm
from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.settings import DeliverySpec

SOFTWARE: Final = "voxgrad"
_BLOCK: Final = 1 << 16
_TAGGED: Final = frozenset((".m4b", ".m4a", ".opus"))
"""What libsndfile does not read, or not with a long comment."""
_UNKNOWN: Final = 0xFFFFFFFF
_MOST_REMARK: Final = 1 << 26  # bytes; a longer one is no remark of ours
_FORMATS: Final = (*SUBTYPES, "m4a", "m4b", "opus")
_AS_SPOKEN: Final = DeliverySpec()


class AudioWriter(Protocol):
    """An audio file or stream that is written piece by piece."""

    def write(self, samples: Samples) -> None:
        """Take (n,) float32 samples; what passes ±1 is clipped."""
        ...


class RawWriter:
    """Little-endian samples and nothing else."""

    def __init__(self, file: BinaryIO, delivery: DeliverySpec = _AS_SPOKEN) -> None:
        self._file, self._delivery = file, delivery

    def write(self, samples: Samples) -> None:
        """Take (n,) float32 samples, and hand them on at once."""
        pcm = np.repeat(to_pcm(samples, self._delivery.bits), self._delivery.channels)
        # Of a 24-bit sample, the lowest of its four bytes is none.
        content = pcm.astype(pcm.dtype.newbyteorder("<")).view(np.uint8).reshape(-1, pcm.itemsize)
        self._file.write(content[:, pcm.itemsize - self._delivery.bits // 8 :].tobytes())
        self._file.flush()


class WaveWriter(RawWriter):
    """A WAV whose remark stands before the audio, so that it can be streamed; only `close` needs to seek.

    Until `close` its sizes say "unknown" (all ones), which readers take for "up to the end". The remark, in ASCII, is
    the ``ICMT`` of a ``LIST INFO`` chunk (RIFF MCI, 1991).
    """

    def __init__(self, file: BinaryIO, rate: int, remark: str, delivery: DeliverySpec = _AS_SPOKEN) -> None:
        super().__init__(file, delivery)
        info = b"INFO" + _chunk(b"ISFT", _text(SOFTWARE)) + _chunk(b"ICMT", _text(remark))
        kind, channels, size = (
            3 if delivery.bits == 32 else 1,
            delivery.channels,
            delivery.channels * delivery.bits // 8,
        )
        form = struct.pack("<HHIIHH", kind, channels, rate, size * rate, size, delivery.bits)
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

    def __init__(self, file: soundfile.SoundFile, encoding: Encoding) -> None:
        self._file, self._encoding = file, encoding

    def write(self, samples: Samples) -> None:
        pcm = self._encoding.frames(samples)
        # In blocks, because libsndfile's Vorbis encoder keeps what one call gives it on the stack.
        for start in range(0, len(pcm), _BLOCK):
            self._file.write(pcm[start : start + _BLOCK])


@contextmanager
def open_writer(path: Path, rate: int, remark: str, delivery: DeliverySpec = _AS_SPOKEN) -> Iterator[AudioWriter]:
    """Write a WAV, FLAC, Ogg Vorbis, MP3, AAC or Opus, as its name ends. It appears complete at the end, or not at all.

    Raises:
        BadInputError: the name ends in none of these, or its folder does not exist.
        EnvironmentFailureError: PyAV is missing, or the disk refuses.
    """
    kind = check_writable(path, _FORMATS)
    if kind not in SUBTYPES:
        with open_codec_writer(path, rate, remark, delivery) as writer:
            yield writer
        return
    with atomic_audio(path) as place:
        if kind == "wav":
            with place.open("wb") as plain:
                wave = WaveWriter(plain, rate, remark, delivery)
                yield wave
                wave.close()
            return
        encoding, options = Encoding(kind, rate, delivery), {}
        if kind == "mp3":
            lowest, highest = mp3_bit_rates(rate)
            # libsndfile counts from the highest bit rate, 0, to the lowest, 1, which soundfile refuses.
            level = min((highest - encoding.bit_rate) / (highest - lowest), 0.999)
            options = {"bitrate_mode": "CONSTANT", "compression_level": level}
        subtype = "PCM_24" if encoding.bits == 24 else SUBTYPES[kind]
        with soundfile.SoundFile(place, "w", rate, delivery.channels, subtype, format=kind.upper(), **options) as file:
            file.software, file.comment = SOFTWARE, remark
            yield _SoundfileWriter(file, encoding)


def check_writable_audio(path: Path, delivery: DeliverySpec = _AS_SPOKEN) -> None:
    """See that an audio file can be written to ``path`` before any work is done for it.

    Raises:
        BadInputError: as `check_writable`, or the format cannot hold what is asked for.
        EnvironmentFailureError: PyAV is missing, or the folder may not be written.
    """
    kind = check_writable(path, _FORMATS)
    check_format(kind, delivery)
    if kind not in SUBTYPES:
        require_av()
    probe = path.with_name(f".{path.name}.probe")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror})"
        raise EnvironmentFailureError(message, "Check the folder's permissions, or name another.") from error


def convert(source: Path, target: Path, remark: str, delivery: DeliverySpec = _AS_SPOKEN) -> None:
    """Write an audio file of ours again, in the format of the target's name, block by block.

    Raises:
        BadInputError: the target cannot be an audio file.
        EnvironmentFailureError: the disk refuses.
    """
    with soundfile.SoundFile(source) as file, open_writer(target, file.samplerate, remark, delivery) as sink:
        full = {"PCM_16": 32768 / 32767, "PCM_24": 8388608 / 8388607}.get(file.subtype, 1.0)
        for block in file.blocks(_BLOCK, dtype="float64", always_2d=True):
            sink.write(block[:, 0] * full)


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
