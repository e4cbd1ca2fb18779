"""Compressed audio in its container, written piece by piece by FFmpeg's libraries (PyAV)."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np

from voxgrad.audio.writers import PCM
from voxgrad.errors import EnvironmentFailureError

_BLOCK: Final = 1 << 14


@dataclass(frozen=True)
class Codec:
    """How FFmpeg calls a container and the codec in it; bit/s, None where the codec is lossless."""

    container: str
    name: str
    bit_rate: int | None


CODECS: Final = {
    "m4b": Codec("mp4", "aac", 64_000),
    "m4a": Codec("mp4", "aac", 64_000),
    "mp3": Codec("mp3", "libmp3lame", 64_000),
    "opus": Codec("ogg", "libopus", 32_000),
    "aac": Codec("adts", "aac", 64_000),
    "flac": Codec("flac", "flac", None),
}
"""By the format's name. The bit rates are for one channel of speech."""


def require_av() -> Any:
    """PyAV.

    Raises:
        EnvironmentFailureError: it is not installed.
    """
    try:
        import av  # noqa: PLC0415 - an extra, and large
    except ModuleNotFoundError as error:
        raise EnvironmentFailureError(
            "this format needs the package av", "Install it: pip install 'voxgrad[books]'."
        ) from error
    return av


class CodecWriter:
    """The audio stream of a container that is open for writing.

    Where the codec does not know the rate, all that is written is resampled, as one signal, to the next rate that it
    knows.

    Args:
        container: of PyAV.
        kind: one of ``CODECS``.
        rate: of the samples, Hz.
        comment: how the audio was made. ADTS has no place for it.

    Attributes:
        stream: of PyAV.
    """

    def __init__(self, container: Any, kind: str, rate: int, comment: str) -> None:
        av, codec = require_av(), CODECS[kind]
        known = av.Codec(codec.name, "w").audio_rates or [rate]
        goal = min((one for one in known if one >= rate), default=max(known))
        self._frame, self._container, self._rate, self._position = av.AudioFrame, container, rate, 0
        self.stream = container.add_stream(codec.name, rate=goal, layout="mono")
        if codec.bit_rate is not None:
            self.stream.bit_rate = codec.bit_rate
        self.tags.update(comment=comment)

    @property
    def tags(self) -> Any:
        """Metadata, to be set before anything is written; in Ogg they are the stream's."""
        return (self.stream if self._container.format.name == "ogg" else self._container).metadata

    def write(self, pcm: PCM) -> None:
        """Take (n,) samples.

        Raises:
            FFmpegError: as PyAV does; an `OSError` too, where what the container is written to refuses.
        """
        for start in range(0, len(pcm), _BLOCK):
            piece = np.ascontiguousarray(pcm[None, start : start + _BLOCK])
            # PyAV brings it to the codec's rate, format and size of frames.
            frame = self._frame.from_ndarray(piece, format="s16", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = (
                self._rate,
                Fraction(1, self._rate),
                self._position,
            )
            self._position += frame.samples
            self._container.mux(self.stream.encode(frame))

    def finish(self) -> None:
        """Write what the codec still holds."""
        self._container.mux(self.stream.encode(None))
