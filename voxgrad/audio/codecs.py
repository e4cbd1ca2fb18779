"""Compressed audio by FFmpeg's libraries (PyAV): piece by piece, and audiobooks with chapters, tags and a cover."""

import base64
import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from voxgrad.audio.io import PCM, Samples, to_pcm
from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.files import atomic_write
from voxgrad.settings import DeliverySpec
from voxgrad.settings.model import either

AUDIOBOOKS: Final = ("m4b", "m4a", "mp3", "opus")
"""What an audiobook's name can end in."""
_BLOCK: Final = 1 << 14
_COVER_SIDE: Final = 1400  # pixels


@dataclass(frozen=True)
class Codec:
    """How FFmpeg calls a container and the codec in it; kbit/s, None where the codec is lossless."""

    container: str
    name: str
    bit_rate: int | None


CODECS: Final = {
    "m4b": Codec("mp4", "aac", 64),
    "m4a": Codec("mp4", "aac", 64),
    "mp3": Codec("mp3", "libmp3lame", 128),
    "opus": Codec("ogg", "libopus", 32),
    "aac": Codec("adts", "aac", 64),
    "flac": Codec("flac", "flac", None),
}
"""By the format's name. The bit rates are those of speech where no other is asked for."""
_BITS: Final = {"wav": (16, 24, 32), "pcm": (16, 24, 32), "flac": (16, 24)}
_OPUS_RATES: Final = (8000, 16000, 24000, 48000)
_USUAL_RATE: Final = 22050


def check_format(kind: str, delivery: DeliverySpec) -> None:
    """See that a format can hold what is asked for.

    Raises:
        BadInputError: it cannot.
    """
    name, rate = kind.upper(), delivery.rate or _USUAL_RATE
    if delivery.bits not in _BITS.get(kind, (16,)):
        able = either([other.upper() for other, bits in _BITS.items() if delivery.bits in bits])
        raise BadInputError(f"{name} cannot hold samples of {delivery.bits} bits", f"Use {able}, or leave bits out.")
    if kind == "opus" and delivery.rate not in {None, *_OPUS_RATES}:
        raise BadInputError(f"Opus has no sample rate of {rate} Hz", f"Use {either([*map(str, _OPUS_RATES)])}.")
    if kind == "mp3" and (delivery.bit_rate or 0) > mp3_bit_rates(rate)[1]:
        message = f"MP3 at {rate} Hz has at most {mp3_bit_rates(rate)[1]} kbit/s, not {delivery.bit_rate}"
        raise BadInputError(message, "Choose a rate of 44100 or 48000 Hz, or a lower bit rate.")


def mp3_bit_rates(rate: int) -> tuple[int, int]:
    """The lowest and the highest bit rate, in kbit/s, of MPEG-1, MPEG-2 and MPEG-2.5.

    >>> [mp3_bit_rates(rate) for rate in (44100, 22050, 8000)]
    [(32, 320), (8, 160), (8, 64)]
    """
    return (32, 320) if rate >= 32000 else (8, 160) if rate >= 16000 else (8, 64)


@dataclass(frozen=True)
class Encoding:
    """Audio at a rate in a format, as it is asked for; what the format cannot hold is as usual."""

    kind: str
    rate: int
    delivery: DeliverySpec

    @property
    def bits(self) -> int:
        """Of a sample."""
        return self.delivery.bits if self.delivery.bits in _BITS.get(self.kind, ()) else 16

    @property
    def bit_rate(self) -> int:
        """In kbit/s; 0 where that is not to be chosen."""
        usual = CODECS[self.kind].bit_rate if self.kind in CODECS else None
        wanted = 0 if usual is None else self.delivery.bit_rate or usual
        return min(wanted, mp3_bit_rates(self.rate)[1]) if self.kind == "mp3" else wanted

    def frames(self, samples: Samples) -> PCM:
        """Samples (n,) as its codec is given them, (n, channels)."""
        pcm = to_pcm(samples, self.bits)
        if self.kind == "mp3":
            # LAME makes them quieter lest they clip. As floats, which may pass ±1, they can be raised before.
            scale = 0.95 if self.bit_rate <= 160 else 0.97 if self.bit_rate <= 192 else 1.0
            pcm = (pcm / (32767 * scale)).astype(np.float32)
        return np.repeat(pcm[:, None], self.delivery.channels, axis=1)


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
    """The audio stream of a container of PyAV that is open for writing, and a comment on how the audio was made.

    Where the codec does not know the rate, all that is written is resampled, as one signal, to the next rate that it
    knows. ADTS has no place for a comment.
    """

    def __init__(self, container: Any, kind: str, rate: int, comment: str, delivery: DeliverySpec) -> None:
        av, codec = require_av(), CODECS[kind]
        known = av.Codec(codec.name, "w").audio_rates or [rate]
        goal = min((supported for supported in known if supported >= rate), default=max(known))
        self._frame, self.container, self._rate, self._position = av.AudioFrame, container, rate, 0
        self._encoding, self._layout = Encoding(kind, rate, delivery), "stereo" if delivery.stereo else "mono"
        self.stream = container.add_stream(codec.name, rate=goal, layout=self._layout)
        if self._encoding.bit_rate:
            self.stream.bit_rate = 1000 * self._encoding.bit_rate
        if self._encoding.bits == 24:
            self.stream.codec_context.format = "s32"
        self.tags.update(comment=comment)

    @property
    def tags(self) -> Any:
        """Metadata, to be set before anything is written; in Ogg they are the stream's."""
        return (self.stream if self.container.format.name == "ogg" else self.container).metadata

    def write(self, samples: Samples) -> None:
        """Take (n,) float32 samples.

        Raises:
            FFmpegError: as PyAV does; an `OSError` too, where what the container is written to refuses.
        """
        frames = self._encoding.frames(samples)
        form = {"float32": "flt", "int16": "s16", "int32": "s32"}[frames.dtype.name]
        for start in range(0, len(frames), _BLOCK):
            # PyAV brings it to the codec's rate, format and size of frames.
            piece = frames[start : start + _BLOCK].reshape(1, -1)
            frame = self._frame.from_ndarray(piece, format=form, layout=self._layout)
            frame.sample_rate, frame.time_base, frame.pts = (
                self._rate,
                Fraction(1, self._rate),
                self._position,
            )
            self._position += frame.samples
            self.container.mux(self.stream.encode(frame))

    def finish(self) -> None:
        """Write what the codec still holds."""
        self.container.mux(self.stream.encode(None))


def read_tags(path: Path) -> tuple[dict[str, str], float]:
    """The tags of an audio file that FFmpeg knows, and its seconds.

    Raises:
        BadInputError: it cannot be read.
        EnvironmentFailureError: PyAV is missing.
    """
    av = require_av()
    try:
        with av.open(str(path)) as container:
            tags = dict(container.metadata)
            for stream in container.streams.audio:
                tags.update(stream.metadata)
            return tags, float(container.duration or 0) / av.time_base
    except (av.FFmpegError, OSError) as error:
        raise BadInputError(f"{path} cannot be read as audio ({error})", "Name an audio file.") from error


@dataclass(frozen=True)
class AudiobookChapter:
    """A chapter: its title, and the samples where it begins and ends."""

    title: str
    start: int
    stop: int


@dataclass(frozen=True)
class AudiobookTags:
    """The metadata of an audiobook."""

    title: str
    """Of the book."""
    author: str
    """May be empty."""
    comment: str
    """How it was made."""
    cover: bytes | None = None
    """A picture's bytes, or None."""


@contextmanager
def open_codec_writer(target: Path, rate: int, comment: str, delivery: DeliverySpec) -> Iterator[CodecWriter]:
    """Write one of `CODECS`, as its name ends. It appears complete at the end, or not at all.

    Raises:
        EnvironmentFailureError: PyAV is missing, or the disk is full or cannot be written.
    """
    av = require_av()
    kind = target.suffix.lower().removeprefix(".")
    container_name = CODECS[kind].container
    options = {"movflags": "+faststart"} if container_name == "mp4" else {}
    try:
        with (
            atomic_write(target) as place,
            av.open(str(place), "w", format=container_name, options=options) as container,
        ):
            writer = CodecWriter(container, kind, rate, comment, delivery)
            yield writer
            writer.finish()
    except av.FFmpegError as error:
        raise EnvironmentFailureError(f"{target} cannot be written ({error})", "Check the disk.") from error


def write_audiobook(
    target: Path,
    blocks: Iterable[Samples],
    rate: int,
    chapters: Sequence[AudiobookChapter],
    tags: AudiobookTags,
    delivery: DeliverySpec,
) -> None:
    """Write blocks of samples as an audiobook, as its name ends. It appears complete at the end, or not at all.

    Raises:
        EnvironmentFailureError: PyAV is missing, or the disk refuses.
    """
    opus, cover = target.suffix.lower() == ".opus", None if tags.cover is None else readable_cover(tags.cover)
    with open_codec_writer(target, rate, tags.comment, delivery) as writer:
        writer.tags.update({"title": tags.title, "album": tags.title, "genre": "Audiobook"})
        if tags.author:
            writer.tags.update({"artist": tags.author, "album_artist": tags.author})
        if cover is not None and opus:
            picture = base64.b64encode(_flac_picture(cover)).decode()
            writer.tags["METADATA_BLOCK_PICTURE"] = picture
        writer.container.set_chapters(
            [
                {
                    "id": number,
                    "start": round(1000 * chapter.start / rate),
                    "end": round(1000 * chapter.stop / rate),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": chapter.title},
                }
                for number, chapter in enumerate(chapters)
            ]
        )
        packets = [] if cover is None or opus else _cover_packets(require_av(), writer.container, cover)
        writer.container.start_encoding()
        writer.container.mux(packets)
        for block in blocks:
            writer.write(block)


def readable_cover(content: bytes) -> bytes | None:
    """A picture as a JPEG of at most 1400 pixels a side; None if it is not a picture, or far too large."""
    # Only here, because those who only speak do without it.
    from PIL import Image  # noqa: PLC0415

    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.width * picture.height > (Image.MAX_IMAGE_PIXELS or 0):
                return None
            plain = picture.convert("RGB")
            plain.thumbnail((_COVER_SIDE, _COVER_SIDE))
            written = io.BytesIO()
            plain.save(written, "JPEG", quality=88)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return written.getvalue()


def _cover_packets(av: Any, container: Any, cover: bytes) -> list[Any]:
    """A JPEG, as the packets of a new stream of the container."""
    with av.open(io.BytesIO(cover)) as source:
        pictures = source.streams.video[0]
        stream = container.add_stream_from_template(pictures)
        stream.disposition = av.stream.Disposition.attached_pic
        packets = [packet for packet in source.demux(pictures) if packet.dts is not None]
        for packet in packets:
            packet.stream = stream
    return packets


def _flac_picture(jpeg: bytes) -> bytes:
    """A picture block as FLAC and Ogg have it (RFC 9639, section 8.8), of the kind "front cover"."""
    # Only here, because those who only speak do without it.
    from PIL import Image  # noqa: PLC0415

    with Image.open(io.BytesIO(jpeg)) as picture:
        width, height = picture.size
    kind = b"image/jpeg"
    head = struct.pack(">II", 3, len(kind)) + kind + struct.pack(">I", 0)
    return head + struct.pack(">IIIII", width, height, 24, 0, len(jpeg)) + jpeg
