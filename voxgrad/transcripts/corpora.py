"""Corpora that are known by their folders: LibriSpeech, VCTK, CMU Arctic, Kaldi, Common Voice and others."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.transcripts.formats import FORMATS, BadRow, Row, Rows, one_line, register
from voxgrad.transcripts.lists import recognise, rows
from voxgrad.transcripts.recordings import Folder
from voxgrad.unicode import read_text

_NORMALIZED, _ORIGINAL = ".normalized.txt", ".original.txt"
_SCP_COMMAND: Final = "is a command, which is not run: convert the recordings first"


def corpus_rows(name: str, folder: Folder, signs: list[PurePosixPath]) -> Rows:
    """All rows of a corpus; a file that cannot be read is a bad one.

    Args:
        name: of its format.
        folder: that holds it.
        signs: the files that show it.
    """
    for file in signs:
        is_empty = True
        try:
            for row in FORMATS[name].read(folder, file):
                is_empty = False
                yield row
            if is_empty:
                yield BadRow(0, "", "has no lines", f"{file}")
        except BadInputError as error:
            yield BadRow(0, "", error.message.partition(" ")[2], f"{file}")


def _matching(pattern: str) -> Callable[[Folder], list[PurePosixPath]]:
    return lambda folder: [file for file in folder.files if PurePosixPath(f"{file}".lower()).match(pattern)]


def _lines(folder: Folder, file: PurePosixPath) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(read_text(folder.path / file).text.split("\n"), 1):
        if line.strip():
            yield number, line.strip()


def _pairs(folder: Folder, file: PurePosixPath) -> Iterator[tuple[int, str, str]]:
    """The number of every line, its first word and the others."""
    for number, line in _lines(folder, file):
        name, text = (*line.split(None, 1), "")[:2]
        yield number, name, text


@register("librispeech", "corpus", "*.trans.txt", _matching("*.trans.txt"))
def _librispeech(folder: Folder, file: PurePosixPath) -> Rows:
    """``84/121123/84-121123.trans.txt``: lines of an id and a text in capitals; the id begins with the speaker."""
    for number, name, text in _pairs(folder, file):
        yield Row(number, name, one_line(text), name.partition("-")[0], source=f"{file}")


def _libritts_signs(folder: Folder) -> list[PurePosixPath]:
    normalized = {file.parent / _id(file): file for file in folder.files if _ends(file, _NORMALIZED)}
    original = {file.parent / _id(file): file for file in folder.files if _ends(file, _ORIGINAL)}
    return sorted((original | normalized).values())


def _ends(file: PurePosixPath, ending: str) -> bool:
    return file.name.lower().endswith(ending)


def _id(file: PurePosixPath) -> str:
    return PurePosixPath(file.stem).stem


@register("libritts", "corpus", "*.normalized.txt", _libritts_signs)
def _libritts(folder: Folder, file: PurePosixPath) -> Rows:
    """``84_121123_000007_000001.normalized.txt`` beside each recording; the name begins with the speaker."""
    name = _id(file)
    text = one_line(read_text(folder.path / file).text)
    yield Row(0, name, text, name.partition("_")[0], source=f"{file}")


def _vctk_signs(folder: Folder) -> list[PurePosixPath]:
    """``txt/p225/p225_001.txt`` with a folder of recordings beside ``txt``."""
    texts = [file for file in folder.files if len(file.parts) > 2 and file.parts[-3] == "txt"]
    named = [file for file in texts if _ends(file, ".txt") and file.name.startswith(f"{file.parts[-2]}_")]
    return named if folder.recordings else []


@register("vctk", "corpus", "txt/SPEAKER/SPEAKER_*.txt", _vctk_signs)
def _vctk(folder: Folder, file: PurePosixPath) -> Rows:
    """The text's folder is the speaker. Of two microphones the first is taken."""
    name = f"{file.stem}_mic1" if folder.called(f"{file.stem}_mic1") else file.stem
    text = one_line(read_text(folder.path / file).text)
    yield Row(0, name, text, file.parts[-2], source=f"{file}")


@register("festvox", "corpus", "etc/txt.done.data", _matching("etc/txt.done.data"))
def _festvox(folder: Folder, file: PurePosixPath) -> Rows:
    """``etc/txt.done.data``: lines of ``( arctic_a0001 "Text." )``; ``cmu_us_bdl_arctic`` is of the speaker bdl."""
    above = file.parts[-3] if len(file.parts) > 2 else folder.path.name
    named = re.fullmatch(r"cmu_[a-z]+_([a-z0-9]+)_arctic.*", above)
    speaker = named[1] if named else above if len(file.parts) > 2 else None
    base = f"{file.parent.parent}"
    for number, line in _lines(folder, file):
        try:
            fields = shlex.split(line)
        except ValueError:
            fields = []
        if len(fields) != 4 or (fields[0], fields[3]) != ("(", ")"):
            yield BadRow(number, "", 'is not festvox\'s `( name "text" )`', f"{file}")
        else:
            yield Row(number, fields[1], one_line(fields[2]), speaker, source=f"{file}", base=base)


def _kaldi_signs(folder: Folder) -> list[PurePosixPath]:
    known = set(folder.files)
    return [file for file in folder.files if file.name == "wav.scp" and file.with_name("text") in known]


@register("kaldi", "corpus", "wav.scp and text", _kaldi_signs)
def _kaldi(folder: Folder, scp: PurePosixPath) -> Rows:
    """``wav.scp``, ``text`` and ``utt2spk``; ``segments`` are parts of recordings, in seconds."""
    beside = {name: scp.with_name(name) for name in ("wav.scp", "utt2spk", "segments")}
    paths, speakers, spans = (
        {key: value for _, key, value in _pairs(folder, file)} if (folder.path / file).is_file() else {}
        for file in beside.values()
    )
    source = f"{scp.with_name('text')}"
    for number, name, text in _pairs(folder, scp.with_name("text")):
        span, recording = None, name
        if beside["segments"] in folder.files:
            try:
                recording, start, stop = spans.get(name, "").split()
                span = float(start), float(stop)
            except ValueError:
                yield BadRow(number, name, f"has no `{name} recording start end` in segments", source)
                continue
        path = paths.get(recording, "")
        if not path or path.endswith("|"):
            reason = _SCP_COMMAND if path else f"has no recording {recording} in {scp.name}"
            yield BadRow(number, name, reason, source)
        else:
            yield Row(number, path, one_line(text), speakers.get(name), span, source)


def _common_voice_signs(folder: Folder) -> list[PurePosixPath]:
    lists = [file for file in folder.files if file.name.lower() == "validated.tsv"]
    return [file for file in lists if (folder.path / file).with_name("clips").is_dir()]


@register("common-voice", "corpus", "validated.tsv and clips", _common_voice_signs)
def _common_voice(folder: Folder, file: PurePosixPath) -> Rows:
    """``validated.tsv`` beside ``clips``; the speaker is the beginning of ``client_id``, which has 128 characters."""
    for row in rows(read_text(folder.path / file).text, "csv"):
        yield _within(row, file, None if isinstance(row, BadRow) or row.speaker is None else row.speaker[:12])


def _subfolder_signs(folder: Folder) -> list[PurePosixPath]:
    names = {"metadata.csv", "metadata.jsonl"}
    return [file for file in folder.files if file.name.lower() in names and len(file.parts) > 1]


@register("subfolders", "corpus", "a metadata.csv in each folder", _subfolder_signs)
def _subfolders(folder: Folder, file: PurePosixPath) -> Rows:
    """A list in each of several folders; in M-AILABS, ``by_book/female/mary_ann/…`` is of the speaker mary_ann."""
    parts = file.parts
    at = parts.index("by_book") + 2 if "by_book" in parts else len(parts)
    book = parts[at] if at < len(parts) - 1 and parts[at - 1] in {"female", "male"} else None
    text = read_text(folder.path / file).text
    for row in rows(text, recognise(text, file.name)) if text.strip() else ():
        yield _within(row, file, book if isinstance(row, BadRow) or row.speaker is None else row.speaker)


def _within(row: Row | BadRow, file: PurePosixPath, speaker: str | None) -> Row | BadRow:
    """A row of a list that lies with its recordings in a folder within the folder."""
    if isinstance(row, BadRow):
        return replace(row, source=f"{file}")
    return replace(row, source=f"{file}", base=f"{file.parent}", speaker=speaker)
