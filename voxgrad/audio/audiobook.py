"""Audiobooks: M4B, MP3 and Opus with chapters, tags and a cover."""

import base64
import io
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from voxgrad.audio.codecs import CODECS, CodecWriter, require_av
from voxgrad.audio.writers import PCM
from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.files import atomic_write

ENDINGS: Final = ("m4b", "m4a", "mp3", "opus")
"""What an audiobook's name can end in."""
_COVER_SIDE: Final = 1400  # pixels
_MILLISECOND: Final = Fraction(1, 1000)


@dataclass(frozen=True)
class AudiobookChapter:
    """A chapter: its title, and the samples that it begins and ends at."""

    title: str
    start: int
    stop: int


@dataclass(frozen=True)
class AudiobookTags:
    """What an audiobook says of itself.

    Attributes:
        title: of the book.
        author: may be empty.
        comment: how it was made.
        cover: a picture's bytes, or None.
    """

    title: str
    author: str
    comment: str
    cover: bytes | None = None


def write_audiobook(
    target: Path,
    blocks: Iterator[PCM],
    rate: int,
    chapters: Sequence[AudiobookChapter],
    tags: AudiobookTags,
) -> None:
    """Write an audiobook. It appears complete at the end, or not at all.

    Args:
        target: its name ends in one of ``ENDINGS``.
        blocks: 16-bit samples, in order.
        rate: Hz.
        chapters: in order, without gaps.
        tags: title, author, comment, cover.

    Raises:
        EnvironmentFailureError: PyAV is missing, or the disk refuses.
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
            _tag(writer.tags, tags, cover if kind == "opus" else None)
            container.set_chapters([_chapter(number, one, rate) for number, one in enumerate(chapters)])
            add_cover = None if cover is None or kind == "opus" else _cover_stream(av, container, cover)
            container.start_encoding()
            if add_cover is not None:
                add_cover()
            for block in blocks:
                writer.write(block)
            writer.finish()
    except av.FFmpegError as error:
        raise EnvironmentFailureError(f"{target} cannot be written ({error})", "Look at the disk.") from error


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


def readable_cover(content: bytes) -> bytes | None:
    """A picture as a JPEG of at most 1400 pixels a side; None where it is none, or far too large."""
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


def _tag(written: Any, tags: AudiobookTags, cover: bytes | None) -> None:
    written.update({"title": tags.title, "album": tags.title, "genre": "Audiobook"})
    if tags.author:
        written.update({"artist": tags.author, "album_artist": tags.author})
    if cover is not None:
        written["METADATA_BLOCK_PICTURE"] = base64.b64encode(_flac_picture(cover)).decode()


def _chapter(number: int, chapter: AudiobookChapter, rate: int) -> dict[str, Any]:
    start, end = (round(1000 * sample / rate) for sample in (chapter.start, chapter.stop))
    return {
        "id": number,
        "start": start,
        "end": end,
        "time_base": _MILLISECOND,
        "metadata": {"title": chapter.title},
    }


def _cover_stream(av: Any, container: Any, cover: bytes) -> Callable[[], None]:
    """Adds the stream of a JPEG; what is returned writes it."""
    source = av.open(io.BytesIO(cover))
    pictures = source.streams.video[0]
    stream = container.add_stream_from_template(pictures)
    stream.disposition = av.stream.Disposition.attached_pic

    def write() -> None:
        for packet in source.demux(pictures):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
        source.close()

    return write


def _flac_picture(jpeg: bytes) -> bytes:
    """A picture block as FLAC and Ogg have it (RFC 9639, section 8.8), of the kind "front cover"."""
    # Only here, because those who only speak do without it.
    from PIL import Image  # noqa: PLC0415

    with Image.open(io.BytesIO(jpeg)) as picture:
        width, height = picture.size
    kind = b"image/jpeg"
    return b"".join(
        (
            struct.pack(">II", 3, len(kind)),
            kind,
            struct.pack(">I", 0),
            struct.pack(">IIIII", width, height, 24, 0, len(jpeg)),
            jpeg,
        )
    )
