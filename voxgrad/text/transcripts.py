"""Which text belongs to which recording: by a list, or by a text file beside each recording."""

import codecs
import os
import re
from dataclasses import dataclass
from pathlib import Path

from voxgrad.errors import BadInputError
from voxgrad.text.transcript_formats import OTHER_SOUND, SOUND, BadRow, is_sound, recognise, rows

BESIDE = "beside"
"""The form that is no list: ``.txt`` or ``.lab`` beside each recording."""
_LISTS = ("metadata.csv", "metadata.jsonl", "metadata.list", "metadata.txt")
_LIST_ENDINGS = frozenset({".csv", ".jsonl", ".ndjson", ".list", ".psv"})
_TEXT_ENDINGS = (".txt", ".lab")


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording with its text."""

    id: str
    """Can be a file's name, and is not the path that it was found at."""
    recording: Path
    text: str
    """Empty where there is none, and it is to be transcribed."""
    speaker: str | None
    source: str
    """Where the text was found, for messages: a file, and a line in it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A line or a recording that cannot be used, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds.

    Attributes:
        entries: what can be used, in the list's order.
        problems: what cannot.
        form: a list's (see `voxgrad.text.transcript_formats.FORMATS`), or ``beside``.
        source: name of the list; empty where there is none.
        encoding: of the list.
    """

    entries: list[Entry]
    problems: list[Problem]
    form: str
    source: str = ""
    encoding: str = "UTF-8"


def find_transcripts(
    folder: Path, transcripts: Path | None = None, form: str | None = None, *, untold: bool = False
) -> Found:
    """Pairs the recordings of a folder with their texts.

    Args:
        folder: of recordings, or with a folder ``wavs`` of them.
        transcripts: a list; without one, ``metadata.csv`` in the folder (or above it, where the folder is
            called ``wavs``), the only list in the folder, or else the texts beside each recording.
        form: of the list, or ``beside``; None: it is recognised.
        untold: recordings without a text are entries with an empty one.

    Raises:
        BadInputError: no such folder or list, several lists, no transcripts at all, or a list that is no text.
    """
    if not folder.is_dir():
        raise BadInputError(f"there is no folder {folder}", "Give the folder that holds the recordings.")
    if form == BESIDE and transcripts is None:
        return _beside(folder.resolve(), untold=untold)
    if transcripts is not None:
        if not transcripts.is_file():
            raise BadInputError(f"there is no transcript list {transcripts}", "Give the path of a text file.")
        return _from_list(folder.resolve(), transcripts, form)
    folder = folder.resolve()  # "." may be called "wavs"
    listed = _list_in(folder)
    if listed is not None:
        return _from_list(listed.parent, listed, form)
    return _beside(folder, untold=untold)


def _list_in(folder: Path) -> Path | None:
    """The list that a folder holds, or the one above a folder called ``wavs``.

    Raises:
        BadInputError: there are several, and none has a name that is usual.
    """
    places = [folder] + ([folder.parent] if folder.name == "wavs" else [])
    for place in places:
        usual = [place / name for name in _LISTS if (place / name).is_file()]
        if usual:
            return usual[0]
    others = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in _LIST_ENDINGS and path.is_file()
    )
    if len(others) > 1:
        names = ", ".join(path.name for path in others)
        raise BadInputError(f"{folder} holds several lists: {names}", "Choose one with --transcripts.")
    return others[0] if others else None


def _beside(folder: Path, *, untold: bool) -> Found:
    entries, problems = [], []
    recordings = sorted(path for path in folder.rglob("*") if is_sound(path.name))
    for path in recordings:
        name = _id(path.relative_to(folder).with_suffix(""))
        found = _entry_beside(folder, path, name, untold=untold)
        if isinstance(found, Entry):
            entries.append(found)
        elif found is not None:
            problems.append(found)
    if not entries and all(one.reason.endswith("beside it") for one in problems):
        raise BadInputError(
            f"{folder} holds no transcripts",
            "Put a metadata.csv of `name|text` lines into it, or a .txt beside each recording.",
        )
    return Found(*_unique(entries, problems), BESIDE)


def _entry_beside(folder: Path, path: Path, name: str, *, untold: bool) -> Entry | Problem | None:
    """A recording with its text; None for what is no file."""
    texts = [path.with_suffix(ending) for ending in _TEXT_ENDINGS]
    written = next((text for text in texts if text.is_file()), None)
    for file in (path, written):
        if file is not None and not file.resolve().is_relative_to(folder):
            return Problem(name, f"{file.name} is a link that leads out of the folder")
    if not path.is_file():
        return None
    if written is None and untold:
        return Entry(name, path, "", None, path.name)
    if written is None:
        return Problem(name, f"{path.name} has no {texts[0].name} beside it")
    try:
        text = " ".join(read_text(written).text.split())
    except BadInputError as error:
        return Problem(name, error.message)
    return Entry(name, path, text, None, written.name) if text else Problem(name, f"{written.name} is empty")


def _from_list(folder: Path, path: Path, form: str | None) -> Found:
    decoded: Decoded = read_text(path)
    chosen = recognise(decoded.text, path.name) if form is None or form == BESIDE else form
    entries, problems = [], []
    for row in rows(decoded.text, chosen):
        source = f"{path.name}:{row.line}"
        if isinstance(row, BadRow):
            problems.append(Problem(row.name or source, f"{source} {row.reason}"))
            continue
        if not row.text:
            problems.append(Problem(row.name, f"{source} has no text"))
            continue
        recording = _recording(folder, row.name, by_name=chosen in {"gpt-sovits", "f5", "jsonl"})
        if isinstance(recording, str):
            problems.append(Problem(row.name, f"{source}: {recording}"))
            continue
        name = _id(_relative(folder, row.name))
        entries.append(Entry(name, recording, row.text, row.speaker, source))
    if not entries and not problems:
        raise BadInputError(f"{path.name} has no lines", "Write one `name|text` line for each recording.")
    return Found(*_unique(entries, problems), chosen, path.name, decoded.encoding)


def _recording(folder: Path, name: str, *, by_name: bool) -> Path | str:
    """The file that a list means, never one outside the folder; or why there is none.

    Args:
        folder: of the recordings.
        name: as the list gives it.
        by_name: look for the file's name alone too, because the list was made with paths of another place.
    """
    if is_sound(name):
        candidates = [folder / name, folder / "wavs" / name]
        if by_name:
            last = name.replace("\\", "/").rpartition("/")[2]
            candidates += [folder / last, folder / "wavs" / last]
    else:
        endings = sorted(SOUND) + sorted(OTHER_SOUND)
        candidates = [folder / sub / f"{name}{end}" for sub in ("wavs", ".") for end in endings]
    try:
        there = [candidate for candidate in candidates if candidate.is_file()]
        inside = [path for path in there if path.resolve().is_relative_to(folder.resolve())]
    except (OSError, ValueError):  # no file can be called that: the columns may be swapped
        return f"there is no recording {name} in the folder"
    if inside:
        return inside[0]
    if there:
        way = "is a link that" if there[0].is_symlink() else "is a path that"
        return f"{name} {way} leads out of the folder"
    return f"there is no recording {name} in the folder"


def _relative(folder: Path, name: str) -> Path:
    plain = Path(os.path.relpath(name, folder)) if Path(name).is_absolute() else Path(os.path.normpath(name))
    return plain.with_suffix("") if is_sound(name) else plain


def _unique(entries: list[Entry], problems: list[Problem]) -> tuple[list[Entry], list[Problem]]:
    seen: set[str] = set()
    kept = []
    for entry in entries:
        if entry.id in seen:
            problems.append(Problem(entry.id, f"{entry.source}: {entry.id} occurs twice"))
        else:
            seen.add(entry.id)
            kept.append(entry)
    return kept, problems


def _id(path: Path) -> str:
    """A clip's name: the parts of its relative path joined by ``-``, bytes that are no UTF-8 replaced."""
    name = "-".join(part for part in path.parts if part != "..")
    return name.encode("utf-8", "replace").decode()


_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x7f]")
_MOST_CONTROL = 0.1  # a stray one makes no text a program
_LIMIT = 100_000_000


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text, and the encoding that it was taken for: ``UTF-8``, ``UTF-16`` or ``Latin-1``."""

    text: str
    encoding: str


def read_text(path: Path) -> Decoded:
    """Read a text file in UTF-8 or UTF-16, with a byte-order mark or without, or else in Latin-1.

    Latin-1 is read as Windows-1252, which adds the curly quotes that most such files have.

    Raises:
        BadInputError: it cannot be read, or is no text in any of these.
    """
    try:
        if path.stat().st_size > _LIMIT:
            raise BadInputError(f"{path.name} is too large for a list of texts", "Give a text file.")
        content = path.read_bytes()
    except OSError as error:
        message = f"{path.name} cannot be read ({error.strerror})"
        raise BadInputError(message, "Check its permissions.") from error
    found = _decoded(content)
    if found is None or len(_CONTROL.findall(found.text)) > _MOST_CONTROL * len(found.text):
        raise BadInputError(f"{path.name} is no text in UTF-8, UTF-16 or Latin-1", "Save it as UTF-8.")
    return found


def _decoded(content: bytes) -> Decoded | None:
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return _in(content, encoding)
    # English in UTF-16 has a zero in every other byte.
    zeros = content[:1000].count(0)
    if zeros > len(content[:1000]) / 4:
        return _in(content, "utf-16-be" if content[:1] == b"\0" else "utf-16-le")
    as_utf8 = _in(content, "utf-8")
    return as_utf8 if as_utf8 is not None else _in(content, "cp1252")


def _in(content: bytes, encoding: str) -> Decoded | None:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    family = "Latin-1" if encoding == "cp1252" else encoding.upper()[: 6 if "16" in encoding else 5]
    return Decoded(text, family)
