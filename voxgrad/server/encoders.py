"""Audio formats of the speech route, written piece by piece while the audio is made."""

import asyncio
import io
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from voxgrad.audio.codecs import CODECS, CodecWriter, require_av
from voxgrad.audio.io import Samples, Waveform, resample
from voxgrad.audio.writers import RawWriter, WaveWriter
from voxgrad.settings import DeliverySpec

MEDIA_TYPES: Final = {
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
"""Media type of every format; ``opus`` is in an Ogg container, ``aac`` in ADTS frames."""

_PCM_RATE: Final = 24_000  # at which OpenAI's clients play ``pcm``
_WITH_LENGTH: Final = frozenset({"flac", "m4a"})
"""Sent whole: libsndfile reads no FLAC whose header says that its length is unknown, and MPEG-4's has to be sought."""

_BUFFER: Final = 1 << 16  # bytes
_PAGE: Final = {"page_duration": "200000"}  # µs; Ogg is handed on page by page


class Encoder(ABC):
    """A file that is written piece by piece. Its methods are called one after the other, never at once."""

    @abstractmethod
    def write(self, samples: Samples) -> bytes:
        """Take (n,) float32 samples; returns what of the file is ready."""

    @abstractmethod
    def finish(self) -> bytes:
        """The rest of the file."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Free the encoder, finished or not."""


def open_encoder(kind: str, rate: int, remark: str, delivery: DeliverySpec, *, whole: bool) -> Encoder:
    """An encoder of one of `MEDIA_TYPES` for samples at ``rate`` Hz, with a remark where the format can hold one.

    Where it is ``whole``, nothing is ready before the end, so that the header tells the length.

    Raises:
        EnvironmentFailureError: PyAV is missing.
    """
    if kind == "pcm":
        return _PCM(rate, delivery)
    target = _Whole() if whole or kind in _WITH_LENGTH else _Stream()
    if kind == "wav":
        return _Wave(target, rate, remark, delivery)
    return _Compressed(target, kind, rate, remark, delivery)


class EncoderThread:
    """An encoder and the one thread that uses it, so that it is never closed while it writes."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encoder")

    async def write(self, samples: Samples) -> bytes:
        """See `Encoder`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._encoder.write, samples)

    async def finish(self) -> bytes:
        """See `Encoder`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._encoder.finish)

    def leave(self) -> None:
        """Close the encoder as soon as it does not write, without waiting for that."""
        self._thread.submit(self._encoder.close)
        self._thread.shutdown(wait=False)


class _Stream:
    """What a client is sent as it is written; it cannot seek, so that no header is changed afterwards."""

    def __init__(self) -> None:
        self._ready = bytearray()

    def write(self, content: bytes) -> int:
        self._ready += content
        return len(content)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        content = bytes(self._ready)
        self._ready.clear()
        return content

    rest = take


class _Whole(io.BytesIO):
    """A file of which nothing is sent before its end."""

    def take(self) -> bytes:
        return b""

    rest = io.BytesIO.getvalue


class _PCM(Encoder):
    """Every piece is resampled by itself: it begins and ends in silence."""

    def __init__(self, rate: int, delivery: DeliverySpec) -> None:
        self._rate, self._goal, self._target = rate, delivery.rate or _PCM_RATE, _Stream()
        self._writer = RawWriter(self._target, delivery)  # type: ignore[arg-type]

    def write(self, samples: Samples) -> bytes:
        self._writer.write(resample(Waveform(samples, self._rate), self._goal).samples)
        return self._target.take()

    def finish(self) -> bytes:
        return b""


class _Wave(Encoder):
    def __init__(self, target: _Whole | _Stream, rate: int, remark: str, delivery: DeliverySpec) -> None:
        self._target = target
        self._writer = WaveWriter(target, rate, remark, delivery)  # type: ignore[arg-type]

    def write(self, samples: Samples) -> bytes:
        self._writer.write(samples)
        return self._target.take()

    def finish(self) -> bytes:
        if isinstance(self._target, _Whole):
            self._writer.close()
        return self._target.rest()


class _Compressed(Encoder):
    def __init__(self, target: _Whole | _Stream, kind: str, rate: int, remark: str, delivery: DeliverySpec) -> None:
        self._target = target
        self._container: Any = require_av().open(
            target,
            "w",
            format=CODECS[kind].container,
            # Else packets wait until FFmpeg's buffer is full, which takes some seconds of speech.
            options={"flush_packets": "1", **(_PAGE if kind == "opus" else {})},
            # In a stream, the size of an ID3 tag can be filled in only while all of the tag is in the buffer.
            buffer_size=_BUFFER + len(remark.encode()),
        )
        self._writer: Any = CodecWriter(self._container, kind, rate, remark, delivery)

    def write(self, samples: Samples) -> bytes:
        self._writer.write(samples)
        return self._target.take()

    def finish(self) -> bytes:
        self._writer.finish()
        self._container.close()
        return self._target.rest()

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
        # PyAV frees codecs, and the threads of their resamplers, with the last reference.
        self._container = self._writer = None
