"""Corpora that are known by their folders: LibriSpeech, VCTK, CMU Arctic, Kaldi, Common Voice and others."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.transcripts.lists import BadRow, Row, recognise, rows
from voxgrad.transcripts.recordings import Folder
from voxgrad.unicode import read_text

Rows = Iterator[Row | BadRow]
_NORMALIZED, _ORIGINAL = ".normalized.txt", ".original.txt"
_SCP_COMMAND = "is a command, which is not run: convert the recordings first"


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus that is known by its folders.

    Attributes:
        expects: the files that show it, for messages.
        signs: the files in a folder that show it; none: it is another.
        file_rows: takes one of these apart, and what belongs to it.
    """

    expects: str
    signs: Callable[[Folder], list[PurePosixPath]]
    file_rows: Callable[[Folder, PurePosixPath], Rows]

    def rows(self, folder: Folder, signs: Iterable[PurePosixPath]) -> Rows:
        """All rows; a file that cannot be read is a bad one."""
        for file in signs:
            count = 0
            try:
                for count, row in enumerate(self.file_rows(folder, file), 1):  # noqa: B007 (it is used below)
                    yield row
            except BadInputError as error:
                yield BadRow(0, "", error.message.partition(" ")[2], f"{file}")
            else:
                if not count:
                    yield BadRow(0, "", "has no lines", f"{file}")


def _matching(pattern: str) -> Callable[[Folder], list[PurePosixPath]]:
    return lambda folder: [file for file in folder.files if PurePosixPath(f"{file}".lower()).match(pattern)]


def _lines(folder: Folder, file: PurePosixPath) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(read_text(folder.path / file).text.split("\n"), 1):
        if line.strip():
            yield number, line.strip()


def _librispeech(folder: Folder, file: PurePosixPath) -> Rows:
    """``84/121123/84-121123.trans.txt``: lines of an id and a text in capitals; the id begins with the speaker."""
    for number, line in _lines(folder, file):
        name, text = (*line.split(None, 1), "")[:2]
        yield Row(number, name, " ".join(text.split()), name.partition("-")[0], source=f"{file}")


def _libritts_signs(folder: Folder) -> list[PurePosixPath]:
    normalized = {file.parent / _id(file): file for file in folder.files if _ends(file, _NORMALIZED)}
    original = {file.parent / _id(file): file for file in folder.files if _ends(file, _ORIGINAL)}
    return sorted((original | normalized).values())


def _ends(file: PurePosixPath, ending: str) -> bool:
    return file.name.lower().endswith(ending)


def _id(file: PurePosixPath) -> str:
    return PurePosixPath(file.stem).stem


def _libritts(folder: Folder, file: PurePosixPath) -> Rows:
    """``84_121123_000007_000001.normalized.txt`` beside each recording; the name begins with the speaker."""
    name = _id(file)
    text = " ".join(read_text(folder.path / file).text.split())
    yield Row(0, name, text, name.partition("_")[0], source=f"{file}")


def _vctk_signs(folder: Folder) -> list[PurePosixPath]:
    """``txt/p225/p225_001.txt`` with a folder of recordings beside ``txt``."""
    texts = [file for file in folder.files if len(file.parts) > 2 and file.parts[-3] == "txt"]
    sounds = {file.parts[0] for file in folder.recordings}
    return [
        file
        for file in texts
        if _ends(file, ".txt") and file.name.startswith(f"{file.parts[-2]}_") and sounds
    ]


def _vctk(folder: Folder, file: PurePosixPath) -> Rows:
    """The text's folder is the speaker. Of two microphones the first is taken."""
    name = f"{file.stem}_mic1" if folder.called(f"{file.stem}_mic1") else file.stem
    text = " ".join(read_text(folder.path / file).text.split())
    yield Row(0, name, text, file.parts[-2], source=f"{file}")


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
            yield Row(number, fields[1], " ".join(fields[2].split()), speaker, source=f"{file}", base=base)


def _kaldi_signs(folder: Folder) -> list[PurePosixPath]:
    known = set(folder.files)
    return [file for file in folder.files if file.name == "wav.scp" and file.with_name("text") in known]


def _kaldi(folder: Folder, scp: PurePosixPath) -> Rows:
    """``wav.scp``, ``text`` and ``utt2spk``; ``segments`` are parts of recordings, in seconds."""
    paths = dict(_pairs(folder, scp))
    speakers = dict(_pairs(folder, scp.with_name("utt2spk")))
    segments = scp.with_name("segments") in folder.files
    spans = dict(_pairs(folder, scp.with_name("segments")))
    source = f"{scp.with_name('text')}"
    for number, line in _lines(folder, scp.with_name("text")):
        name, text = (*line.split(None, 1), "")[:2]
        span = None
        recording = name
        if segments:
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
            yield Row(number, path, " ".join(text.split()), speakers.get(name), span, source)


def _pairs(folder: Folder, file: PurePosixPath) -> Iterator[tuple[str, str]]:
    if (folder.path / file).is_file():
        for _, line in _lines(folder, file):
            key, value = (*line.split(None, 1), "")[:2]
            yield key, value


def _common_voice_signs(folder: Folder) -> list[PurePosixPath]:
    lists = [file for file in folder.files if file.name.lower() == "validated.tsv"]
    return [file for file in lists if (folder.path / file).with_name("clips").is_dir()]


def _common_voice(folder: Folder, file: PurePosixPath) -> Rows:
    """``validated.tsv`` beside ``clips``; the speaker is the beginning of ``client_id``, which has 128 characters."""
    for row in rows(read_text(folder.path / file).text, "csv"):
        yield _within(row, file, None if isinstance(row, BadRow) or row.speaker is None else row.speaker[:12])


_LIST_IN_FOLDER = ("metadata.csv", "metadata.jsonl")


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


def _subfolder_signs(folder: Folder) -> list[PurePosixPath]:
    return [file for file in folder.files if file.name.lower() in _LIST_IN_FOLDER and len(file.parts) > 1]


CORPORA: Final[dict[str, Corpus]] = {
    "librispeech": Corpus("*.trans.txt", _matching("*.trans.txt"), _librispeech),
    "libritts": Corpus("*.normalized.txt", _libritts_signs, _libritts),
    "vctk": Corpus("txt/SPEAKER/SPEAKER_*.txt", _vctk_signs, _vctk),
    "festvox": Corpus("etc/txt.done.data", _matching("etc/txt.done.data"), _festvox),
    "kaldi": Corpus("wav.scp and text", _kaldi_signs, _kaldi),
    "common-voice": Corpus("validated.tsv and clips", _common_voice_signs, _common_voice),
    "subfolders": Corpus("a metadata.csv in each of its folders", _subfolder_signs, _subfolders),
}
"""By name, in the order in which they are looked for."""
