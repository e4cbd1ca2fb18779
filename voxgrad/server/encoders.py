"""Audio formats of the speech route, written piece by piece while the audio is made."""

import io
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import soundfile

from voxgrad.audio.io import Samples, Waveform, resample
from voxgrad.audio.writers import SOFTWARE, WaveWriter, to_pcm
from voxgrad.errors import BadInputError

MEDIA_TYPES: Final = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
"""Media type of every format; ``opus`` is in an Ogg container, ``aac`` in ADTS frames."""

_RATES: Final = {"pcm": 24_000, "opus": 24_000}
"""OpenAI's clients play ``pcm`` at 24 kHz, and Opus knows five rates alone; all else keeps the voice's."""
_SOUNDFILE: Final = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS"), "flac": ("FLAC", "PCM_16")}
_MP3_LEVEL: Final = 0.5  # 80 kbit/s
_BLOCK: Final = 1 << 16
_PATIENCE: Final = 30.0  # seconds for ffmpeg


class Encoder(Protocol):
    """A file that is written piece by piece."""

    def write(self, samples: Samples) -> bytes:
        """Take (n,) float32 samples; returns what of the file is ready."""
        ...

    def finish(self) -> bytes:
        """The rest of the file, or nothing where it could not be written."""
        ...

    def abandon(self) -> None:
        """Free what the encoder holds; nothing is written any more."""
        ...


def open_encoder(kind: str, rate: int, remark: str, *, whole: bool) -> Encoder:
    """An encoder.

    Args:
        kind: one of `MEDIA_TYPES`.
        rate: of the samples, Hz.
        remark: metadata, where the format can hold it.
        whole: all samples come in one piece: the header tells the length. Otherwise it says that it is unknown.

    Raises:
        BadInputError: the format needs ffmpeg, which is not installed.
    """
    goal = _RATES.get(kind, rate)
    if kind == "pcm":
        return _Resampled(_PCM(), rate, goal)
    if kind == "aac":
        return _AAC(rate)
    target = io.BytesIO() if whole else _Stream()
    if kind == "wav":
        return _Wave(target, rate, remark)
    return _Resampled(_Soundfile(target, kind, goal, remark, whole=whole), rate, goal)


def available_formats() -> list[str]:
    """The formats that can be written on this machine."""
    return [kind for kind in MEDIA_TYPES if kind != "aac" or shutil.which("ffmpeg") is not None]


class _Stream(io.RawIOBase):
    """What a client is sent as it is written: a header cannot be changed afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self._ready, self._position, self._length = bytearray(), 0, 0

    def write(self, content: bytes) -> int:  # type: ignore[override]
        new = max(0, self._position + len(content) - self._length)
        self._ready += memoryview(content)[len(content) - new :] if new else b""
        self._position += len(content)
        self._length += new
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def take(self) -> bytes:
        content = bytes(self._ready)
        self._ready.clear()
        return content


def _taken(target: io.BytesIO | _Stream) -> bytes:
    """What is ready: of a whole file nothing before its end."""
    return target.take() if isinstance(target, _Stream) else b""


class _PCM:
    def write(self, samples: Samples) -> bytes:
        return to_pcm(samples).astype("<i2").tobytes()

    def finish(self) -> bytes:
        return b""

    def abandon(self) -> None:
        pass


class _Wave:
    def __init__(self, target: io.BytesIO | _Stream, rate: int, remark: str) -> None:
        self._target = target
        self._writer = WaveWriter(target, rate, remark)  # type: ignore[arg-type]

    def write(self, samples: Samples) -> bytes:
        self._writer.write(samples)
        return _taken(self._target)

    def finish(self) -> bytes:
        if not isinstance(self._target, io.BytesIO):
            return b""
        self._writer.close()
        return self._target.getvalue()

    def abandon(self) -> None:
        pass


class _Soundfile:
    """What libsndfile writes."""

    def __init__(
        self, target: io.BytesIO | _Stream, kind: str, rate: int, remark: str, *, whole: bool
    ) -> None:
        container, subtype = _SOUNDFILE[kind]
        self._target = target
        # Of a stream with variable bitrate, players would guess a wrong length: the table that tells comes last.
        rates = {"bitrate_mode": "CONSTANT", "compression_level": _MP3_LEVEL}
        options = rates if kind == "mp3" and not whole else {}
        self._file = soundfile.SoundFile(target, "w", rate, 1, subtype, format=container, **options)
        self._file.software, self._file.comment = SOFTWARE, remark

    def write(self, samples: Samples) -> bytes:
        pcm = to_pcm(samples)
        for start in range(0, len(pcm), _BLOCK):
            self._file.write(pcm[start : start + _BLOCK])
        return _taken(self._target)

    def finish(self) -> bytes:
        self._file.close()
        return self._target.getvalue() if isinstance(self._target, io.BytesIO) else self._target.take()

    def abandon(self) -> None:
        self._file.close()


class _Resampled:
    """Every piece is resampled by itself: it begins and ends in silence."""

    def __init__(self, encoder: Encoder, rate: int, goal: int) -> None:
        self._encoder, self._rate, self._goal = encoder, rate, goal

    def write(self, samples: Samples) -> bytes:
        return self._encoder.write(resample(Waveform(samples, self._rate), self._goal).samples)

    def finish(self) -> bytes:
        return self._encoder.finish()

    def abandon(self) -> None:
        self._encoder.abandon()


class _AAC:
    """ADTS frames, by ffmpeg; it is sent samples, and gives frames back when it likes."""

    def __init__(self, rate: int) -> None:
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            raise BadInputError(
                "aac needs ffmpeg, which is not installed on the server",
                "Ask for mp3, opus, flac, wav or pcm.",
            )
        command = [ffmpeg, "-v", "error", "-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "pipe:0"]
        self._process = subprocess.Popen(
            [*command, "-c:a", "aac", "-f", "adts", "pipe:1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._ready: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        read: Callable[[int], bytes] = self._process.stdout.read1  # type: ignore[union-attr]
        while content := read(_BLOCK):
            self._ready.put(content)

    def write(self, samples: Samples) -> bytes:
        with suppress(BrokenPipeError):
            self._process.stdin.write(to_pcm(samples).astype("<i2").tobytes())  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        return self._given()

    def finish(self) -> bytes:
        with suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]
        self._reader.join(_PATIENCE)
        self.abandon()
        return self._given()

    def abandon(self) -> None:
        self._process.kill()
        self._process.wait()

    def _given(self) -> bytes:
        parts = []
        with suppress(queue.Empty):
            while True:
                parts.append(self._ready.get_nowait())
        return b"".join(parts)
