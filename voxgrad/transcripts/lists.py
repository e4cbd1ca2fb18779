"""Lists of recordings and their texts, in the formats that other programs write."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from voxgrad.errors import BadInputError
from voxgrad.transcripts.recordings import is_sound

_FEW_SPEAKERS = 0.5  # names of speakers repeat; texts hardly do


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list, taken apart."""

    line: int
    """0 where the whole file is one text."""
    name: str
    """Of the recording: a path, or an id without ending."""
    text: str
    speaker: str | None
    span: tuple[float, float] | None = None
    """Seconds of the recording; None: all of it."""
    source: str = ""
    """The file that the line stands in, relative to the folder; empty: the list that was opened."""
    base: str = ""
    """The folder that the name is relative to, within the one that was opened."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that cannot be used, and why."""

    line: int
    name: str
    reason: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    fields: list[str]


def recognise(content: str, name: str) -> str:
    """Tell the form of a list by its ending and its lines: a key of `FORMATS`.

    Raises:
        BadInputError: it has no lines.
    """
    lines = _piped(content)
    if not lines:
        raise no_lines(name)
    if name.lower().endswith((".jsonl", ".ndjson")) or lines[0].fields[0].startswith("{"):
        return "jsonl"
    if _is_f5_header(lines[0].fields) or _delimiter(content) is not None:
        return "f5" if _is_f5_header(lines[0].fields) else "csv"
    # The form of most lines: single bad ones are reported with their numbers.
    widths = [len(line.fields) for line in lines]
    width = max(set(widths), key=widths.count)
    usual = [line.fields for line in lines if len(line.fields) == width]
    if width == 4:
        return "gpt-sovits"
    if width == 3 and all(_counts_characters(fields) for fields in usual):
        return "mimic"
    if width == 3 and _names_speaker_second(usual):
        return "piper"
    paths = [is_sound(fields[0]) or (width == 3 and _says_another(*fields[1:])) for fields in usual]
    return "paths" if 2 * sum(paths) > len(usual) else "ljspeech"


def no_lines(name: str) -> BadInputError:
    """That a list is empty."""
    return BadInputError(f"{name} has no lines", "Write one `name|text` line for each recording.")


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
            if spelt_out and _says_another(line.fields[1], spelt_out):
                yield BadRow(line.number, line.fields[0], "has a third column that is not its text in words")
                continue
            yield Row(line.number, line.fields[0], spelt_out or line.fields[1], None)


def _paths(content: str) -> Iterator[Row | BadRow]:
    """``path|text`` or ``path|text|speaker``; ids without an ending too."""
    for line in _piped(content):
        yield _path_row(line)


def _says_another(text: str, in_words: str) -> bool:
    """Whether two columns cannot be one text: they have no word in common, and no figure that may be spelt out."""
    first, second = (set(re.findall(r"[^\W\d_]{2,}", one.lower())) for one in (text, in_words))
    return bool(first) and not first & second and not re.search(r"\d", text)


def _path_row(line: _Line) -> Row | BadRow:
    if not line.fields[0] or len(line.fields) not in {2, 3}:
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


def _mimic(content: str) -> Iterator[Row | BadRow]:
    """``name.wav|text|number of characters``, as Mimic Recording Studio writes it."""
    for line in _piped(content):
        if len(line.fields) != 3 or not line.fields[0]:
            yield BadRow(
                line.number, line.fields[0], "is not Mimic Recording Studio's `name.wav|text|length`"
            )
        else:
            yield Row(line.number, line.fields[0], line.fields[1], None)


def _counts_characters(fields: list[str]) -> bool:
    return is_sound(fields[0]) and fields[2].isdigit() and abs(int(fields[2]) - len(fields[1])) <= 2


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


def _csv(content: str) -> Iterator[Row | BadRow]:
    """Columns by commas, tabs or semicolons, under a header that names them, or without one: audio, text, speaker."""
    delimiter = _delimiter(content) or ","
    columns: _Columns | None = None
    for number, fields in _records(content, delimiter):
        if isinstance(fields, str):
            yield BadRow(number, "", f"is not CSV ({fields})")
            continue
        if columns is None and (columns := _columns(fields)) is not None:
            continue
        widths = {2, 3} if delimiter == "\t" else {2}
        if columns is None and len(fields) not in widths:
            yield BadRow(
                number, fields[0], f"has {len(fields)} columns, and no header tells which is the text"
            )
        else:
            yield _csv_row(number, fields, columns if columns is not None else _Columns(0, 1, 2, None))


def _records(content: str, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Line number and fields, or what is wrong: a quote that is never closed must not swallow the rest of the list."""
    lines = content.split("\n")
    at = 0
    while at < len(lines):
        reason = ""
        taken = 1
        while lines[at].strip() and taken <= _LINES_OF_A_FIELD:
            try:
                record = [f"{line}\n" for line in lines[at : at + taken]]
                fields = next(csv.reader(record, delimiter=delimiter, strict=True))
            except csv.Error as error:
                reason = reason or str(error)
                taken += 1
            else:
                yield at + 1, [_one_line(field) for field in fields]
                break
        else:
            if reason:
                yield at + 1, reason
            taken = 1
        at += taken


@dataclass(frozen=True, slots=True)
class _Columns:
    name: int
    text: int
    speaker: int | None
    language: int | None


def _csv_row(number: int, fields: list[str], columns: _Columns) -> Row | BadRow:
    def field(column: int | None) -> str:
        return fields[column] if column is not None and column < len(fields) else ""

    name, spoken = field(columns.name), field(columns.language)
    if not name or len(fields) <= columns.text:
        return BadRow(number, name, "has no audio and text in it")
    if spoken and not spoken.lower().startswith("en"):
        return BadRow(number, name, f"is in {spoken}, and voxgrad reads English")
    return Row(number, name, field(columns.text), field(columns.speaker) or None)


def _columns(fields: list[str]) -> _Columns | None:
    """Where a header has audio and text, and speaker and language if it names them; None where it is none."""
    name, text = _column(fields, _NAME_KEYS), _column(fields, _TEXT_KEYS)
    if name is None or text is None:
        return None
    return _Columns(name, text, _column(fields, _SPEAKER_KEYS), _column(fields, _LANGUAGE_KEYS))


def _column(fields: list[str], keys: tuple[str, ...]) -> int | None:
    lowered = [field.lower().strip() for field in fields]
    return next((lowered.index(key) for key in keys if key in lowered), None)


def _delimiter(content: str) -> str | None:
    """What parts the columns, where a header says so, or where most lines are an audio file, it, and more."""
    lines = [line for _, line in _lines(content)][:_LOOKED_AT]
    for delimiter in (",", "\t", ";", "|"):
        try:
            if lines and _columns(next(csv.reader(lines[:1], delimiter=delimiter))) is not None:
                return delimiter
        except csv.Error:
            continue
    for delimiter in (",", "\t", ";"):
        names = [line.strip('" ').partition(delimiter) for line in lines]
        if 2 * sum(bool(text) and is_sound(name.strip('" ')) for name, _, text in names) > len(lines):
            return delimiter
    return None


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
    "csv": _csv,
    "mimic": _mimic,
}
"""The forms of lists, by name."""

_EXPECTED = "is not `name|text`, with at most three columns"
_NAME_KEYS = (
    *("audio", "audio_file", "audio_filepath", "audio_path", "path", "file", "file_name", "filename"),
    *("wav", "wav_filename", "id"),
)
_TEXT_KEYS = ("text", "transcript", "transcription", "sentence", "normalized_text")
_SPEAKER_KEYS = ("speaker", "speaker_name", "speaker_id", "client_id")
_LANGUAGE_KEYS = ("language", "lang", "locale")
_LOOKED_AT = 50
_LINES_OF_A_FIELD = 5


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
    # Quotes belong to the text, unless the list begins with one, or a field has them doubled: then a program wrote it
    # that quotes fields.
    line = line.replace("\r", " ")
    parts = next(csv.reader([line], delimiter="|")) if quoted or '""' in line else line.split("|")
    return [_one_line(field) for field in parts]


def _lines(content: str) -> Iterator[tuple[int, str]]:
    # Not splitlines(), for which U+2028 and others within a text end a line too.
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            yield number, line


def _one_line(text: str) -> str:
    return " ".join(text.split())
