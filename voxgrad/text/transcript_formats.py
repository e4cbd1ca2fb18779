"""Lists of recordings and their texts, in the forms that other programs write."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from voxgrad.errors import BadInputError

SOUND: Final = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64"}
)
"""Endings of audio files that can be read out of the box, and"""
OTHER_SOUND: Final = frozenset(
    {".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".mov", ".amr", ".ac3", ".3gp"}
)
"""where ffmpeg is installed."""

_FEW_SPEAKERS = 0.5  # names of speakers repeat; texts hardly do


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list, taken apart."""

    line: int
    name: str
    """Of the recording: a path, or an id without ending."""
    text: str
    speaker: str | None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that cannot be used, and why."""

    line: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    fields: list[str]


def is_sound(name: str) -> bool:
    """Whether a name ends as an audio file's."""
    return PurePosixPath(name).suffix.lower() in SOUND | OTHER_SOUND


def recognise(content: str, name: str) -> str:
    """Tell the form of a list by its ending and its lines: a key of `FORMATS`.

    Raises:
        BadInputError: it has no lines.
    """
    lines = _piped(content)
    if not lines:
        raise BadInputError(f"{name} has no lines", "Write one `name|text` line for each recording.")
    if name.endswith((".jsonl", ".ndjson")) or lines[0].fields[0].startswith("{"):
        return "jsonl"
    if _is_f5_header(lines[0].fields):
        return "f5"
    # The form of most lines: single bad ones are reported with their numbers.
    widths = [len(line.fields) for line in lines]
    width = max(set(widths), key=widths.count)
    usual = [line.fields for line in lines if len(line.fields) == width]
    if width == 4:
        return "gpt-sovits"
    if width == 3 and _names_speaker_second(usual):
        return "piper"
    return "paths" if 2 * sum(is_sound(fields[0]) for fields in usual) > len(usual) else "ljspeech"


def rows(content: str, form: str) -> Iterator[Row | BadRow]:
    """Take the lines of a list apart.

    Args:
        content: of the file.
        form: a key of `FORMATS`.
    """
    yield from FORMATS[form](content)


def _ljspeech(content: str) -> Iterator[Row | BadRow]:
    """``id|text``, or ``id|text|text in words``; a path is taken for one of `_paths`."""
    for line in _piped(content):
        if is_sound(line.fields[0]):
            yield _path_row(line)
        elif not line.fields[0] or len(line.fields) not in {2, 3}:
            yield BadRow(line.number, line.fields[0], _EXPECTED)
        else:
            spelt_out = line.fields[2] if len(line.fields) == 3 else ""
            yield Row(line.number, line.fields[0], spelt_out or line.fields[1], None)


def _paths(content: str) -> Iterator[Row | BadRow]:
    """``path|text`` or ``path|text|speaker``; an id is taken for one of `_ljspeech`."""
    yield from _ljspeech(content)


def _path_row(line: _Line) -> Row | BadRow:
    if len(line.fields) not in {2, 3}:
        return BadRow(line.number, line.fields[0], _EXPECTED)
    speaker = line.fields[2] if len(line.fields) == 3 and line.fields[2] else None
    return Row(line.number, line.fields[0], line.fields[1], speaker)


def _piper(content: str) -> Iterator[Row | BadRow]:
    """``id|speaker|text`` or ``id|text``, as Piper reads them; paths too."""
    for line in _piped(content):
        if not line.fields[0] or len(line.fields) not in {2, 3}:
            yield BadRow(line.number, line.fields[0], "is not Piper's `name|speaker|text`")
        else:
            speaker = line.fields[1] if len(line.fields) == 3 and line.fields[1] else None
            yield Row(line.number, line.fields[0], line.fields[-1], speaker)


def _f5(content: str) -> Iterator[Row | BadRow]:
    """``audio_file|text`` under a header, as F5-TTS reads it."""
    for line in _piped(content):
        if _is_f5_header(line.fields):
            continue
        if len(line.fields) != 2 or not line.fields[0]:
            yield BadRow(line.number, line.fields[0], "is not F5's `audio_file|text`")
        else:
            yield Row(line.number, line.fields[0], line.fields[1], None)


def _gpt_sovits(content: str) -> Iterator[Row | BadRow]:
    """``path|speaker|language|text``, as GPT-SoVITS reads it."""
    for line in _piped(content):
        if len(line.fields) != 4 or not line.fields[0]:
            yield BadRow(line.number, line.fields[0], "is not GPT-SoVITS's `path|speaker|language|text`")
            continue
        name, speaker, language, text = line.fields
        if not language.lower().startswith("en"):
            yield BadRow(line.number, name, f"is in {language}, and voxgrad reads English")
        else:
            yield Row(line.number, name, text, speaker or None)


def _jsonl(content: str) -> Iterator[Row | BadRow]:
    """One JSON object a line, under any of the usual keys."""
    for number, line in _lines(content):
        try:
            value: Any = json.loads(line)
        except (ValueError, RecursionError):
            yield BadRow(number, "", "is no JSON")
            continue
        found = [_first(value, keys) for keys in (_NAME_KEYS, _TEXT_KEYS, _SPEAKER_KEYS)]
        name, text, speaker = (_one_line(one) if isinstance(one, str) else None for one in found)
        if not name or text is None:
            yield BadRow(number, name if name is not None else "", "has no audio and text in it")
        else:
            yield Row(number, name, text, speaker or None)


FORMATS: Final[dict[str, Callable[[str], Iterator[Row | BadRow]]]] = {
    "ljspeech": _ljspeech,
    "paths": _paths,
    "piper": _piper,
    "f5": _f5,
    "gpt-sovits": _gpt_sovits,
    "jsonl": _jsonl,
}
"""The forms of lists, by name."""

_EXPECTED = "is not `name|text`, with at most three columns"
_NAME_KEYS = ("audio", "audio_file", "audio_filepath", "audio_path", "path", "file", "file_name", "wav", "id")
_TEXT_KEYS = ("text", "transcript", "transcription", "sentence", "normalized_text")
_SPEAKER_KEYS = ("speaker", "speaker_name", "speaker_id")


def _first(value: Any, keys: tuple[str, ...]) -> Any:
    return next((value[key] for key in keys if key in value), None) if isinstance(value, dict) else None


def _is_f5_header(fields: list[str]) -> bool:
    return [field.lower() for field in fields] == ["audio_file", "text"]


def _names_speaker_second(usual: list[list[str]]) -> bool:
    """Whether the second of three columns names speakers: short, repeated, and not what the third says in words."""
    second, third = [fields[1] for fields in usual], [fields[2] for fields in usual]
    repeated = len(set(second)) <= _FEW_SPEAKERS * len(second)
    shorter = sum(map(len, second)) < 0.5 * sum(map(len, third))
    return repeated and shorter


def _piped(content: str) -> list[_Line]:
    quoted = content.lstrip().startswith('"')
    return [_Line(number, _fields(line, quoted=quoted)) for number, line in _lines(content)]


def _fields(line: str, *, quoted: bool) -> list[str]:
    # Quotes belong to the text, unless the list begins with one: then a program wrote it that quotes fields.
    parts = next(csv.reader([line], delimiter="|")) if quoted else line.split("|")
    return [_one_line(field) for field in parts]


def _lines(content: str) -> Iterator[tuple[int, str]]:
    # Not splitlines(), for which U+2028 and others within a text end a line too.
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            yield number, line


def _one_line(text: str) -> str:
    return " ".join(text.split())
