"""Sound files in and out, and the change of sample rate."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile
import torch
import torchaudio

from voxgrad.errors import BadInputError, EnvironmentFailureError

Samples = npt.NDArray[np.float32]

SUBTYPES = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}
"""What a file of each ending holds."""
_WRITE_BLOCK = 1 << 16
# Writers that cannot seek back leave a size near 2 or 4 GiB in a RIFF header: it says nothing.
_UNKNOWN_SIZE = 0x7FFF0000


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound.

    Attributes:
        samples: (n,) float32, full scale at ±1.
        rate: samples per second.
    """

    samples: Samples
    rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.dtype != np.float32 or self.rate <= 0:
            raise ValueError("a waveform is one row of float32 samples at a positive rate")

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class Header:
    """What a sound file says of itself: ``rate`` in Hz, ``channels``, and ``frames`` (samples a channel)."""

    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate


def read_header(path: Path) -> Header:
    """Read what ``path`` says of itself, without its samples.

    Raises:
        BadInputError: as `read_audio`, apart from what only the samples can show.
    """
    with _opened(path) as file:
        return Header(file.samplerate, file.channels, file.frames)


def read_audio(path: Path) -> Waveform:
    """Read a sound file of any format, depth, rate and number of channels that libsndfile knows.

    Channels are averaged. Integers are scaled to ±1; floats are taken as they are.

    Raises:
        BadInputError: the file is missing, a folder, empty, cut short, no sound, silent throughout, or holds
            samples that are not finite.
    """
    with _opened(path) as file:
        channels: Samples = file.read(dtype="float32", always_2d=True)
        # Of an MP3 the length is only guessed before it is decoded.
        if len(channels) < file.frames and file.format != "MP3":
            raise _cut_short(path)
        rate = file.samplerate
    if not np.isfinite(channels).all():
        raise BadInputError(f"{path} has samples that are not finite", "Export it again as 16-bit WAV.")
    if not np.ptp(channels, axis=0).any():
        raise BadInputError(f"{path} is silent throughout", "Leave it out, or record it again.")
    mono: Samples = channels.mean(axis=1, dtype=np.float32)
    if not np.ptp(mono):
        raise BadInputError(f"{path} has channels that cancel each other out", "Export one of them alone.")
    return Waveform(mono, rate)


def write_audio(path: Path, waveform: Waveform) -> None:
    """Write 16-bit WAV or FLAC, Ogg Vorbis or MP3, as the name of ``path`` ends.

    Samples beyond full scale are clipped. The file appears whole or not at all.

    Raises:
        BadInputError: the name ends in none of these, its folder does not exist, or a sample is not finite.
        EnvironmentFailureError: the disk refuses.
    """
    kind = check_writable(path)
    if not np.isfinite(waveform.samples).all():
        raise BadInputError(f"the sound for {path.name} has samples that are not finite", "Make it anew.")
    clipped = np.clip(waveform.samples, -1.0, 1.0)
    with (
        appearing(path) as beside,
        soundfile.SoundFile(beside, "w", waveform.rate, 1, SUBTYPES[kind], format=kind.upper()) as file,
    ):
        # In blocks, because libsndfile's Vorbis encoder keeps what one call gives it on the stack.
        for start in range(0, len(clipped), _WRITE_BLOCK):
            file.write(clipped[start : start + _WRITE_BLOCK])


def copy_audio(source: Path, target: Path) -> None:
    """Copy a sound file: byte by byte where the names end alike, else in the target's format.

    Raises:
        BadInputError: the target cannot be a sound file.
        EnvironmentFailureError: the disk refuses.
    """
    check_writable(target)
    if source.suffix.lower() != target.suffix.lower():
        write_audio(target, read_audio(source))
        return
    with appearing(target) as beside:
        shutil.copyfile(source, beside)


def check_writable(path: Path) -> str:
    """See that ``path`` can become a sound file; returns its format, such as ``wav``.

    Raises:
        BadInputError: the name ends in no format that can be written, or its folder does not exist.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in SUBTYPES:
        raise BadInputError(
            f"{path.name} names no sound format that can be written", "End it in .wav, .flac, .ogg or .mp3."
        )
    if not path.parent.is_dir():
        raise BadInputError(f"the folder {path.parent} does not exist", "Create it or name another.")
    if path.is_dir():
        raise BadInputError(f"{path} is a folder", "Name a file in it.")
    return kind


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A place to write to that becomes ``path`` at the end, or vanishes.

    Raises:
        EnvironmentFailureError: the disk refuses.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        beside.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        hint = "Check the disk's space and the folder's permissions."
        raise EnvironmentFailureError(f"{path} could not be written ({error})", hint) from error
    finally:
        beside.unlink(missing_ok=True)


def resample(waveform: Waveform, rate: int) -> Waveform:
    """Change the sample rate to ``rate`` Hz; (n,) becomes (ceil(n * rate / old rate),).

    The filter is a Kaiser-windowed sinc with the figures of librosa's ``kaiser_best``. torchaudio's default
    aliases at −7 dB.
    """
    if waveform.rate == rate:
        return waveform
    # Rates without a common divisor would need a filter of gigabytes. The nearest ratio of small numbers is
    # off by a thousandth at worst, less than two cents; for the rates in use it is exact.
    high, low = max(waveform.rate, rate), min(waveform.rate, rate)
    ratio = Fraction(high, low).limit_denominator(1000)
    old, new = ratio.as_integer_ratio() if waveform.rate == high else ratio.as_integer_ratio()[::-1]
    resampled = torchaudio.functional.resample(
        torch.from_numpy(waveform.samples),
        old,
        new,
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        resampling_method="sinc_interp_kaiser",
        beta=14.769656459379492,
    )
    return Waveform(resampled.numpy(), rate)


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open ``path`` for reading; what libsndfile cannot read becomes a BadInputError."""
    _check_file(path)
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames == 0:
                raise BadInputError(f"{path} holds no samples", "Leave it out, or record it again.")
            yield file
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        message = f"{path} is damaged or no sound file ({reason})"
        raise BadInputError(message, "Export it again as WAV or FLAC.") from error


def _check_file(path: Path) -> None:
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
            magic, length = file.read(4), file.read(4)
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror})"
        raise BadInputError(message, "Check its permissions.") from error
    # libsndfile reads a WAV or AIFF that was cut short without a word, up to where it ends. The length should
    # not count the first 8 bytes, but some writers do count them.
    orders: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"FORM": "big"}
    if magic in orders and size < int.from_bytes(length, orders[magic]) < _UNKNOWN_SIZE:
        raise _cut_short(path)


def _cut_short(path: Path) -> BadInputError:
    return BadInputError(f"{path} is cut short: it ends before its header says", "Copy or export it again.")
