"""Audio files in and out by libsndfile and ffmpeg, and the change of sample rate."""

import math
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import soundfile
from numpy.lib.stride_tricks import sliding_window_view

from voxgrad.errors import GO_ON, BadInputError, EnvironmentFailureError, is_disk_full, os_error
from voxgrad.files import atomic_write, check_file
from voxgrad.settings.model import either

Samples = npt.NDArray[np.float32]
PCM = npt.NDArray[np.int16 | np.int32 | np.float32]

SUBTYPES = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}
"""What a file of each ending holds, which libsndfile writes."""
_WRITE_BLOCK = 1 << 16
_READ_BLOCK = 1 << 20
_CANCELLED = 0.5  # of what the mean of independent channels keeps of their power


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono audio."""

    samples: Samples
    """(n,) float32, full scale at ±1."""
    rate: int
    """Samples per second."""

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.dtype != np.float32 or self.rate <= 0:
            raise ValueError("a waveform is one row of float32 samples at a positive rate")

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording, mixed to mono."""

    waveform: Waveform
    """The mean of the channels, or the loudest channel where ``cancelling``."""
    channels: int
    """Of the file."""
    cancelling: bool
    """The channels are out of phase, so that their mean loses the sound."""


def read_audio(path: Path) -> Waveform:
    """Read an audio file as mono; see `read_recording`."""
    return read_recording(path).waveform


def read_recording(path: Path, max_seconds: float = math.inf) -> Recording:
    """Read an audio file of any format, depth, rate and number of channels that libsndfile or ffmpeg knows.

    Integers are scaled to ±1; floats are taken as they are.

    Raises:
        BadInputError: the file is missing, a folder, empty, cut short, not audio, silent throughout, holds samples
            that are not finite, or lasts longer than ``max_seconds``.
    """
    with open_audio(path) as file:
        rate, channels, seconds = file.samplerate, file.channels, file.frames / file.samplerate
        if seconds > max_seconds:
            message = (
                f"{path} lasts {seconds / 60:.0f} minutes, but a recording may last {max_seconds / 60:.0f} at most"
            )
            raise BadInputError(message, "Split it into files, or raise audio.max_minutes.")
        mono, powers = _mixed(file, path)
        cancelling = channels > 1 and _power(mono) < _CANCELLED * powers.mean() / channels
        if cancelling:
            file.seek(0)
            mono = np.concatenate([block[:, powers.argmax()].copy() for block in _blocks(file)])
    return Recording(Waveform(mono, rate), channels, bool(cancelling))


def _mixed(file: soundfile.SoundFile, path: Path) -> tuple[Samples, npt.NDArray[np.float64]]:
    """The mean of the channels, (n,), and the power of each, without its mean, (channels,)."""
    blocks, total, squares, lowest, highest, frames = [], 0.0, 0.0, np.inf, -np.inf, 0
    # In blocks, because an hour in stereo does not fit beside itself.
    for block in _blocks(file):
        if not np.isfinite(block).all():
            raise BadInputError(f"{path} has samples that are not finite", "Export it again as 16-bit WAV.")
        blocks.append(block.mean(axis=1, dtype=np.float32))
        total = total + block.sum(axis=0, dtype=np.float64)
        squares = squares + np.square(block, dtype=np.float64).sum(axis=0)
        lowest, highest = np.minimum(lowest, block.min(axis=0)), np.maximum(highest, block.max(axis=0))
        frames += len(block)
    # Of an MP3 the length is only guessed before it is decoded.
    if frames == 0 or (frames < file.frames and file.format != "MP3"):
        raise cut_short(path)
    if not (np.asarray(highest) > np.asarray(lowest)).any():
        raise BadInputError(f"{path} is silent throughout", "Leave it out, or record it again.")
    return np.concatenate(blocks), np.asarray(squares / frames - np.square(total / frames))


def _power(samples: Samples) -> float:
    """Of what varies: a constant offset is no sound."""
    return float(np.square(samples).mean() - np.square(samples.mean()))


def _blocks(file: soundfile.SoundFile) -> Iterator[Samples]:
    """(frames, channels), until there are no more.

    Not soundfile's own `blocks`: where a file ends before its header says, that gives memory as it was.
    """
    while len(block := file.read(_READ_BLOCK, dtype="float32", always_2d=True)):
        yield block


def to_pcm(samples: npt.NDArray[np.floating], bits: int = 16) -> PCM:
    """Round to the samples that a lossless file has: int16, int32 of which the upper 24 bits count, or float32.

    >>> to_pcm(np.float32([0, 1, -1, 2])).tolist()
    [0, 32767, -32767, 32767]
    """
    clipped = np.clip(samples, -1.0, 1.0)
    if bits == 32:
        return clipped.astype(np.float32)
    if bits == 24:
        return np.rint(clipped.astype(np.float64) * 8388607).astype(np.int32) << 8
    return np.rint(clipped * 32767).astype(np.int16)


def write_audio(path: Path, waveform: Waveform) -> None:
    """Write 16-bit WAV or FLAC, Ogg Vorbis or MP3, as the name of ``path`` ends.

    Samples beyond full scale are clipped. The file appears complete or not at all.

    Raises:
        BadInputError: the name ends in none of these, its folder does not exist, or a sample is not finite.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    kind = check_writable(path)
    if not np.isfinite(waveform.samples).all():
        raise BadInputError(f"the audio for {path.name} has samples that are not finite", "Create it again.")
    clipped = np.clip(waveform.samples, -1.0, 1.0)
    with (
        atomic_audio(path) as temporary,
        soundfile.SoundFile(temporary, "w", waveform.rate, 1, SUBTYPES[kind], format=kind.upper()) as file,
    ):
        # In blocks, because libsndfile's Vorbis encoder keeps what one call gives it on the stack.
        for start in range(0, len(clipped), _WRITE_BLOCK):
            file.write(clipped[start : start + _WRITE_BLOCK])


def copy_audio(source: Path, target: Path) -> None:
    """Copy an audio file: byte by byte where the names end alike, else in the target's format.

    Raises:
        BadInputError: the target cannot be an audio file.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    check_writable(target)
    if source.suffix.lower() != target.suffix.lower():
        write_audio(target, read_audio(source))
        return
    with atomic_write(target) as temporary:
        shutil.copyfile(source, temporary)


def check_writable(path: Path, formats: Collection[str] = tuple(SUBTYPES)) -> str:
    """See that ``path`` can become an audio file of one of some formats; returns it, such as ``wav``.

    Raises:
        BadInputError: the name ends in no format that can be written, or its folder does not exist.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in formats:
        known = either([f".{ending}" for ending in formats])
        raise BadInputError(f"{path.name} does not have a supported audio ending", f"Use {known}.")
    check_file(path)
    return kind


@contextmanager
def atomic_audio(path: Path) -> Iterator[Path]:
    """`voxgrad.files.atomic_write` of an audio file, whose library has errors of its own.

    Raises:
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    try:
        with atomic_write(path) as temporary:
            yield temporary
    except soundfile.LibsndfileError as error:
        refused = os_error(error)
        hint = "Check the free space and the folder's permissions, then run the same command again."
        if refused is not None and is_disk_full(refused):
            hint = GO_ON
        raise EnvironmentFailureError(f"{path} could not be written ({error})", hint) from error


_WIDTH: Final = 64
_ROLLOFF: Final = 0.9475937167399596
_BETA: Final = 14.769656459379492
"""Zero crossings on each side, cutoff below half of the lower rate, and shape of the window: librosa's kaiser_best."""
_WINDOWS: Final = 4096  # that are filtered at once


def resample(waveform: Waveform, rate: int) -> Waveform:
    """Change the sample rate to ``rate`` Hz; (n,) becomes (ceil(n * rate / old rate),).

    The filter is a sinc with a Kaiser window, by polyphase components (Smith, *Digital Audio Resampling*): what
    torchaudio's ``resample`` computes with the same figures, without torch.
    """
    if waveform.rate == rate:
        return waveform
    # Rates without a common divisor would need a filter of gigabytes. The nearest ratio of small numbers is
    # off by a thousandth at worst, less than two cents; for the rates in use it is exact.
    high, low = max(waveform.rate, rate), min(waveform.rate, rate)
    ratio = Fraction(high, low).limit_denominator(1000)
    old, new = ratio.as_integer_ratio() if waveform.rate == high else ratio.as_integer_ratio()[::-1]
    filters = _filters(old, new)
    reach, length = (filters.shape[0] - old) // 2, len(waveform.samples)
    padded = np.pad(waveform.samples.astype(np.float32, copy=False), (reach, reach + old))
    windows = sliding_window_view(padded, filters.shape[0])[::old]
    parts = [windows[at : at + _WINDOWS].copy() @ filters for at in range(0, len(windows), _WINDOWS)]
    return Waveform(np.concatenate(parts).reshape(-1)[: -(-length * new // old)], rate)


@lru_cache(maxsize=8)
def _filters(old: int, new: int) -> Samples:
    """The filters (taps, new) that make ``new`` samples of every ``old``; they reach as far before these as after."""
    cutoff = min(old, new) * _ROLLOFF
    reach = math.ceil(_WIDTH * old / cutoff)
    time = np.arange(-reach, reach + old)[:, None] / old - np.arange(new) / new
    crossing = (time * cutoff).clip(-_WIDTH, _WIDTH)
    window = np.i0(_BETA * np.sqrt(1 - (crossing / _WIDTH) ** 2)) / np.i0(_BETA)
    return (np.sinc(crossing) * window * (cutoff / old)).astype(np.float32)


# Writers that cannot seek back leave a size near 2 or 4 GiB in a RIFF header: it says nothing.
_UNKNOWN_SIZE = 0x7FFF0000
_FFMPEG_SECONDS = 600

FFMPEG_ENDINGS = frozenset({".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".mov", ".amr", ".ac3", ".3gp"})
"""Formats that ffmpeg is asked for."""


@contextmanager
def open_audio(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open an audio file for reading.

    Raises:
        BadInputError: it is missing, a folder, empty, cut short or not audio; or its format needs ffmpeg, which is
            not installed.
    """
    start = _first_bytes(path)
    with tempfile.TemporaryDirectory() as scratch:
        # libsndfile does not know MPEG-4, under whatever ending.
        by_ffmpeg = path.suffix.lower() in FFMPEG_ENDINGS or start[4:8] == b"ftyp"
        readable = _decoded(path, Path(scratch)) if by_ffmpeg else path
        try:
            with soundfile.SoundFile(readable) as file:
                if file.frames == 0:
                    raise BadInputError(f"{path} contains no samples", "Leave it out, or record it again.")
                yield file
        except soundfile.LibsndfileError as error:
            raise _no_sound(path, start, error) from error


def _decoded(path: Path, scratch: Path) -> Path:
    """Let ffmpeg write the audio as a float WAV into ``scratch``."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        message = f"{path} can only be read with ffmpeg, which is not installed"
        raise BadInputError(message, "Install ffmpeg, or export it as WAV.")
    target = scratch / "decoded.wav"
    # The protocols are limited, so that no playlist can have ffmpeg fetch something.
    command = [ffmpeg, "-v", "error", "-nostdin", "-protocol_whitelist", "file", "-i", f"file:{path}"]
    command += ["-map", "0:a:0", "-c:a", "pcm_f32le", str(target)]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_FFMPEG_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInputError(f"{path} could not be read by ffmpeg", "Export it as WAV.") from error
    if done.returncode or not target.is_file():
        raise BadInputError(f"{path} is damaged or not an audio file (ffmpeg)", "Export it again as WAV or FLAC.")
    return target


def _no_sound(path: Path, start: bytes, error: soundfile.LibsndfileError) -> BadInputError:
    if start.lstrip()[:1] == b"<":
        return BadInputError(f"{path} is a web page, not an audio file", "Download the recording itself.")
    reason = error.error_string.rstrip(".")
    return BadInputError(f"{path} is damaged or not an audio file ({reason})", "Export it again as WAV or FLAC.")


def _first_bytes(path: Path) -> bytes:
    """Refuse a file that is not regular, is empty, or is shorter than its own header says."""
    if not path.exists():
        raise BadInputError(f"{path} does not exist", "Check the path.")
    if not path.is_file():
        raise BadInputError(f"{path} is not a file", "Name an audio file.")
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
    """The error for a file that ends too early."""
    return BadInputError(f"{path} is truncated: it is shorter than its header says", "Copy or export it again.")
