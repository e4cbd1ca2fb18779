"""Compressed audio by FFmpeg's libraries (PyAV): piece by piece, and audiobooks with chapters, tags and a cover."""

import base64
import io
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from voxgrad.audio.io import PCM
from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.files import atomic_write

AUDIOBOOKS: Final = ("m4b", "m4a", "mp3", "opus")
"""What an audiobook's name can end in."""
_BLOCK: Final = 1 << 14
_COVER_SIDE: Final = 1400  # pixels


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
    """The audio stream of a container of PyAV that is open for writing, and a comment on how the audio was made.

    Where the codec does not know the rate, all that is written is resampled, as one signal, to the next rate that it
    knows. ADTS has no place for a comment.
    """

    def __init__(self, container: Any, kind: str, rate: int, comment: str) -> None:
        av, codec = require_av(), CODECS[kind]
        known = av.Codec(codec.name, "w").audio_rates or [rate]
        goal = min((supported for supported in known if supported >= rate), default=max(known))
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


def write_audiobook(
    target: Path, blocks: Iterable[PCM], rate: int, chapters: Sequence[AudiobookChapter], tags: AudiobookTags
) -> None:
    """Write blocks of samples as an audiobook, as its name ends. It appears complete at the end, or not at all.

    Raises:
        EnvironmentFailureError: PyAV is missing, or the disk is full or cannot be written.
    """
    av = require_av()
    kind = target.suffix.lower().removeprefix(".")
    container_name = CODECS[kind].container
    options = {"movflags": "+faststart"} if container_name == "mp4" else {}
    cover = None if tags.cover is None else readable_cover(tags.cover)
    try:
        with (
            atomic_write(target) as place,
            av.open(str(place), "w", format=container_name, options=options) as container,
        ):
            writer = CodecWriter(container, kind, rate, tags.comment)
            writer.tags.update({"title": tags.title, "album": tags.title, "genre": "Audiobook"})
            if tags.author:
                writer.tags.update({"artist": tags.author, "album_artist": tags.author})
            if cover is not None and kind == "opus":
                picture = base64.b64encode(_flac_picture(cover)).decode()
                writer.tags["METADATA_BLOCK_PICTURE"] = picture
            container.set_chapters(
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
            packets = [] if cover is None or kind == "opus" else _cover_packets(av, container, cover)
            container.start_encoding()
            container.mux(packets)
            for block in blocks:
                writer.write(block)
            writer.finish()
    except av.FFmpegError as error:
        raise EnvironmentFailureError(f"{target} cannot be written ({error})", "Check the disk.") from error


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
