"""Readers of lists of recordings and texts, and of corpora: LibriSpeech, VCTK, CMU Arctic, Kaldi and others."""

import csv
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Final

from voxgrad.errors import BadInputError
from voxgrad.transcripts.recordings import Folder, is_sound
from voxgrad.transcripts.registry import FORMATS, BadRow, Row, Rows, one_line, register
from voxgrad.unicode import read_text

_FEW_SPEAKERS: Final = 0.5  # names of speakers repeat; texts hardly do
_LOOKED_AT: Final = 50
_LINES_OF_A_FIELD: Final = 5
_EXPECTED: Final = "`name|text`, with at most three columns"
_F5_HEADER: Final = ["audio_file", "text"]
_KEYS: Final = {
    "name": (
        *("audio", "audio_file", "audio_filepath", "audio_path", "path", "file", "file_name", "filename"),
        *("wav", "wav_filename", "id"),
    ),
    "text": ("text", "transcript", "transcription", "sentence", "normalized_text"),
    "speaker": ("speaker", "speaker_name", "speaker_id", "client_id"),
    "language": ("language", "lang", "locale"),
}
"""What other programs call columns and keys; the first that is there counts."""


def recognise(content: str, name: str) -> str:
    """Detect the format of a list from its file extension and its lines.

    Raises:
        BadInputError: it has no lines.
    """
    lines = [fields for _, fields in _piped(content)]
    if not lines:
        raise no_lines(name)
    if name.lower().endswith((".jsonl", ".ndjson")) or lines[0][0].startswith("{"):
        return "jsonl"
    if _is_f5_header(lines[0]) or _delimiter(content) is not None:
        return "f5" if _is_f5_header(lines[0]) else "csv"
    # The form of most lines: single bad ones are reported with their numbers.
    widths = [len(fields) for fields in lines]
    width = max(set(widths), key=widths.count)
    usual = [fields for fields in lines if len(fields) == width]
    if width == 4:
        return "gpt-sovits"
    if width == 3 and all(_counts_characters(*fields) for fields in usual):
        return "mimic"
    if width == 3 and _names_speaker_second(usual):
        return "piper"
    paths = [is_sound(fields[0]) or (width == 3 and _says_another(*fields[1:])) for fields in usual]
    return "paths" if 2 * sum(paths) > len(usual) else "ljspeech"


def no_lines(name: str) -> BadInputError:
    """That a list is empty."""
    return BadInputError(f"{name} has no lines", "Write one `name|text` line for each recording.")


def rows(content: str, form: str) -> Rows:
    """Parse the lines of a list.

    Args:
        content: of the file.
        form: the name of its format.
    """
    return FORMATS[form].read(content)


def _row(number: int, record: Mapping[str, str]) -> Row | BadRow:
    name, language = record.get("name", ""), record.get("language", "")
    if not name or "text" not in record:
        return BadRow(number, name, "has no audio or no text")
    if language and not re.fullmatch(r"[\w-]+", language):
        return BadRow(number, name, f"is in {language}, which is no language")
    return Row(number, name, record["text"], record.get("speaker") or None, language=language)


def _barred_row(number: int, fields: Sequence[str], expected: str, *layouts: str) -> Row | BadRow:
    """A line by the layout that has as many columns; the name is the first of all."""
    columns = next((names for layout in layouts if len(names := layout.split("|")) == len(fields)), None)
    if columns is None or not fields[0]:
        return BadRow(number, fields[0], f"is not {expected}")
    return _row(number, dict(zip(columns, fields, strict=True)))


@register("ljspeech", "list")
def _ljspeech(content: str) -> Rows:
    """``id|text``, or ``id|text|text in words``; a path is taken for one of ``paths``."""
    for number, fields in _piped(content):
        if is_sound(fields[0]) or len(fields) != 3 or not fields[0] or not fields[2]:
            yield _barred_row(number, fields, _EXPECTED, "name|text", "name|text|speaker")
        elif _says_another(*fields[1:]):
            yield BadRow(number, fields[0], "has a third column that is not its text in words")
        else:
            yield Row(number, fields[0], fields[2], None)


def _register_barred(name: str, expected: str, *layouts: str) -> None:
    @register(name, "list")
    def read(content: str) -> Rows:
        for number, fields in _piped(content):
            if not _is_f5_header(fields):
                yield _barred_row(number, fields, expected, *layouts)


_register_barred("paths", _EXPECTED, "name|text", "name|text|speaker")
_register_barred("piper", "Piper's `name|speaker|text`", "name|text", "name|speaker|text")
_register_barred("f5", "F5's `audio_file|text`", "name|text")
_register_barred("gpt-sovits", "GPT-SoVITS's `path|speaker|language|text`", "name|speaker|language|text")


@register("jsonl", "list")
def _jsonl(content: str) -> Rows:
    """One JSON object a line, under any of the usual keys."""
    for number, line in _lines(content):
        try:
            value: Any = json.loads(line)
        except (ValueError, RecursionError):
            yield BadRow(number, "", "is not JSON")
            continue
        names = _named(value) if isinstance(value, dict) else {}
        said = {key: value[name] for key, name in names.items()}
        yield _row(number, {key: one_line(text) for key, text in said.items() if isinstance(text, str)})


@register("csv", "list")
def _csv(content: str) -> Rows:
    """Columns by commas, tabs or semicolons, under a header that names them, or without one: audio, text, speaker."""
    delimiter = _delimiter(content) or ","
    columns: dict[str, int] = {}
    for number, fields in _records(content, delimiter):
        if isinstance(fields, str):
            yield BadRow(number, "", f"is not CSV ({fields})")
        elif columns or not (columns := _columns(fields)):
            if not columns and len(fields) not in ({2, 3} if delimiter == "\t" else {2}):
                reason = f"has {len(fields)} columns, but no header says which one is the text"
                yield BadRow(number, fields[0], reason)
                continue
            named = columns or {"name": 0, "text": 1, "speaker": 2}
            record = {key: fields[column] for key, column in named.items() if column < len(fields)}
            yield _row(number, record)


_register_barred("mimic", "Mimic Recording Studio's `name.wav|text|length`", "name|text|length")


def _named(names: Mapping[str, Any] | Sequence[str]) -> dict[str, str]:
    """Which of the names each of our keys is called by."""
    found = {key: next((name for name in usual if name in names), None) for key, usual in _KEYS.items()}
    return {key: name for key, name in found.items() if name is not None}


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Where a header has audio and text, and speaker and language if it names them; nothing where it is none."""
    lowered = [field.lower().strip() for field in header]
    columns = {key: lowered.index(name) for key, name in _named(lowered).items()}
    return columns if {"name", "text"} <= columns.keys() else {}


def _records(content: str, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Line number and fields, or what is wrong: a quote that is never closed must not swallow the rest of the list."""
    lines = content.split("\n")
    at = 0
    while at < len(lines):
        reason, taken = "", 1
        while lines[at].strip() and taken <= _LINES_OF_A_FIELD:
            try:
                record = [f"{line}\n" for line in lines[at : at + taken]]
                fields = next(csv.reader(record, delimiter=delimiter, strict=True))
            except csv.Error as error:
                reason = reason or str(error)
                taken += 1
            else:
                yield at + 1, [one_line(field) for field in fields]
                break
        else:
            if reason:
                yield at + 1, reason
            taken = 1
        at += taken


def _delimiter(content: str) -> str | None:
    """What parts the columns, where a header says so, or where most lines are an audio file, it, and more."""
    lines = [line for _, line in _lines(content)][:_LOOKED_AT]
    for delimiter in (",", "\t", ";", "|"):
        try:
            if lines and _columns(next(csv.reader(lines[:1], delimiter=delimiter))):
                return delimiter
        except csv.Error:
            continue
    for delimiter in (",", "\t", ";"):
        names = [line.strip('" ').partition(delimiter) for line in lines]
        if 2 * sum(bool(text) and is_sound(name.strip('" ')) for name, _, text in names) > len(lines):
            return delimiter
    return None


def _is_f5_header(fields: Sequence[str]) -> bool:
    return [field.lower() for field in fields] == _F5_HEADER


def _counts_characters(name: str, text: str, length: str) -> bool:
    return is_sound(name) and length.isdigit() and abs(int(length) - len(text)) <= 2


def _says_another(text: str, in_words: str) -> bool:
    """Whether two columns cannot be one text: they have no word in common, and no figure that may be spelt out."""
    first, second = (set(re.findall(r"[^\W\d_]{2,}", column.lower())) for column in (text, in_words))
    return bool(first) and not first & second and not re.search(r"\d", text)


def _names_speaker_second(usual: list[list[str]]) -> bool:
    """Whether the second of three columns names speakers: short, repeated, and not what the third says in words."""
    second, third = [fields[1] for fields in usual], [fields[2] for fields in usual]
    repeated = len(set(second)) <= _FEW_SPEAKERS * len(second)
    return repeated and sum(map(len, second)) < 0.5 * sum(map(len, third))


def _piped(content: str) -> list[tuple[int, list[str]]]:
    """The number of every line with its fields between bars."""
    quoted = content.lstrip().startswith('"')
    return [(number, _fields(line, quoted=quoted)) for number, line in _lines(content)]


def _fields(line: str, *, quoted: bool) -> list[str]:
    # Quotes belong to the text, unless the list begins with one, or a field has them doubled: then a program wrote it
    # that quotes fields.
    line = line.replace("\r", " ")
    parts = next(csv.reader([line], delimiter="|")) if quoted or '""' in line else line.split("|")
    return [one_line(field) for field in parts]


def _lines(content: str) -> Iterator[tuple[int, str]]:
    # Not splitlines(), for which U+2028 and others within a text end a line too.
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            yield number, line


# Corpora. A reader gets the folder, a file that shows the corpus, and what stands in it.


def corpus_rows(name: str, folder: Folder, signs: list[PurePosixPath]) -> Rows:
    """All rows of a corpus of a format, which ``signs`` show to be one; a file that cannot be read is a bad one."""
    for file in signs:
        row = None
        try:
            for row in FORMATS[name].read(folder, file, read_text(folder.path / file).text):
                yield row if row.source else replace(row, source=f"{file}")
            if row is None:
                yield BadRow(0, "", "has no lines", f"{file}")
        except BadInputError as error:
            yield BadRow(0, "", error.message.partition(" ")[2], f"{file}")


def _matching(pattern: str) -> Callable[[Folder], list[PurePosixPath]]:
    return lambda folder: [file for file in folder.files if PurePosixPath(f"{file}".lower()).match(pattern)]


def _pairs(content: str) -> Iterator[tuple[int, str, str]]:
    """The number of every line, its first word and the others."""
    for number, line in _lines(content):
        name, text = (*line.strip().split(None, 1), "")[:2]
        yield number, name, text


@register("librispeech", "corpus", "*.trans.txt", _matching("*.trans.txt"))
def _librispeech(_folder: Folder, _file: PurePosixPath, content: str) -> Rows:
    """``84/121123/84-121123.trans.txt``: lines of an id and a text in capitals; the id begins with the speaker."""
    for number, name, text in _pairs(content):
        yield Row(number, name, one_line(text), name.partition("-")[0])


def _libritts_signs(folder: Folder) -> list[PurePosixPath]:
    """Texts by the names of their recordings, the normalised one where there are two."""
    found: dict[PurePosixPath, PurePosixPath] = {}
    for ending in (".original.txt", ".normalized.txt"):
        found |= {file.parent / _id(file): file for file in folder.files if file.name.lower().endswith(ending)}
    return sorted(found.values())


def _id(file: PurePosixPath) -> str:
    return PurePosixPath(file.stem).stem


@register("libritts", "corpus", "*.normalized.txt", _libritts_signs)
def _libritts(_folder: Folder, file: PurePosixPath, content: str) -> Rows:
    """``84_121123_000007_000001.normalized.txt`` beside each recording; the name begins with the speaker."""
    yield Row(0, _id(file), one_line(content), _id(file).partition("_")[0])


def _vctk_signs(folder: Folder) -> list[PurePosixPath]:
    """``txt/p225/p225_001.txt`` with a folder of recordings beside ``txt``."""
    texts = [file for file in folder.files if file.suffix.lower() == ".txt" and file.parts[-3:-2] == ("txt",)]
    return [file for file in texts if file.name.startswith(f"{file.parts[-2]}_")] if folder.recordings else []


@register("vctk", "corpus", "txt/SPEAKER/SPEAKER_*.txt", _vctk_signs)
def _vctk(folder: Folder, file: PurePosixPath, content: str) -> Rows:
    """The text's folder is the speaker. Of two microphones the first is taken."""
    name = f"{file.stem}_mic1" if folder.called(f"{file.stem}_mic1") else file.stem
    yield Row(0, name, one_line(content), file.parts[-2])


@register("festvox", "corpus", "etc/txt.done.data", _matching("etc/txt.done.data"))
def _festvox(folder: Folder, file: PurePosixPath, content: str) -> Rows:
    """``etc/txt.done.data``: lines of ``( arctic_a0001 "Text." )``; ``cmu_us_bdl_arctic`` is of the speaker bdl."""
    above = file.parts[-3] if len(file.parts) > 2 else folder.path.name
    named = re.fullmatch(r"cmu_[a-z]+_([a-z0-9]+)_arctic.*", above)
    speaker = named[1] if named else above if len(file.parts) > 2 else None
    for number, line in _lines(content):
        try:
            fields = shlex.split(line)
        except ValueError:
            fields = []
        if len(fields) != 4 or (fields[0], fields[3]) != ("(", ")"):
            yield BadRow(number, "", 'is not festvox\'s `( name "text" )`')
        else:
            yield Row(number, fields[1], one_line(fields[2]), speaker, base=f"{file.parent.parent}")


def _kaldi_signs(folder: Folder) -> list[PurePosixPath]:
    known = set(folder.files)
    return [file for file in folder.files if file.name == "wav.scp" and file.with_name("text") in known]


@register("kaldi", "corpus", "wav.scp and text", _kaldi_signs)
def _kaldi(folder: Folder, scp: PurePosixPath, content: str) -> Rows:
    """``wav.scp``, ``text`` and ``utt2spk``; ``segments`` are parts of recordings, in seconds."""
    beside = {name: folder.path / scp.with_name(name) for name in ("text", "utt2spk", "segments")}
    texts, speakers, spans = (read_text(path).text if path.is_file() else "" for path in beside.values())
    paths, speaker_of, span_of = (
        {key: value for _, key, value in _pairs(lines)} for lines in (content, speakers, spans)
    )
    source = f"{scp.with_name('text')}"
    for number, name, text in _pairs(texts):
        span, recording = None, name
        if scp.with_name("segments") in folder.files:
            try:
                recording, start, stop = span_of.get(name, "").split()
                span = float(start), float(stop)
            except ValueError:
                yield BadRow(number, name, f"has no `{name} recording start end` in segments", source)
                continue
        path = paths.get(recording, "")
        if not path:
            yield BadRow(number, name, f"has no recording {recording} in {scp.name}", source)
        elif path.endswith("|"):
            yield BadRow(number, name, "is a command, which is not run: convert the recordings first", source)
        else:
            yield Row(number, path, one_line(text), speaker_of.get(name), span, source)


def _common_voice_signs(folder: Folder) -> list[PurePosixPath]:
    lists = [file for file in folder.files if file.name.lower() == "validated.tsv"]
    return [file for file in lists if (folder.path / file).with_name("clips").is_dir()]


@register("common-voice", "corpus", "validated.tsv and clips", _common_voice_signs)
def _common_voice(_folder: Folder, file: PurePosixPath, content: str) -> Rows:
    """``validated.tsv`` beside ``clips``; the speaker is the beginning of ``client_id``, which has 128 characters."""
    for row in rows(content, "csv"):
        if isinstance(row, Row):
            row = replace(row, base=f"{file.parent}", speaker=row.speaker and row.speaker[:12])  # noqa: PLW2901
        yield row


def _subfolder_signs(folder: Folder) -> list[PurePosixPath]:
    names = {"metadata.csv", "metadata.jsonl"}
    return [file for file in folder.files if file.name.lower() in names and len(file.parts) > 1]


@register("subfolders", "corpus", "a metadata.csv in each folder", _subfolder_signs)
def _subfolders(_folder: Folder, file: PurePosixPath, content: str) -> Rows:
    """A list in each of several folders; in M-AILABS, ``by_book/female/mary_ann/…`` is of the speaker mary_ann."""
    parts = file.parts
    at = parts.index("by_book") + 2 if "by_book" in parts else len(parts)
    book = parts[at] if at < len(parts) - 1 and parts[at - 1] in {"female", "male"} else None
    for row in rows(content, recognise(content, file.name)) if content.strip() else ():
        if isinstance(row, Row):
            row = replace(row, base=f"{file.parent}", speaker=book if row.speaker is None else row.speaker)  # noqa: PLW2901
        yield row
