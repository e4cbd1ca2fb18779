"""Which text belongs to which recording: LJSpeech or ``path|text`` lists, or a ``.txt`` beside each recording."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voxgrad.errors import BadInputError

SOUND = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64"})
LIST = "metadata.csv"


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording with its text."""

    id: str
    """Can be a file's name, and is not the path that it was found at."""
    recording: Path
    text: str
    speaker: str | None
    source: str
    """Where the text was found, for messages: a file, and a line in it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A line or a recording that cannot be used, and why."""

    id: str
    reason: str


def find_transcripts(folder: Path, transcripts: Path | None = None) -> tuple[list[Entry], list[Problem]]:
    """Pairs the recordings of a folder with their texts.

    Args:
        folder: of recordings, or with a folder ``wavs`` of them.
        transcripts: a list; without one, ``metadata.csv`` in the folder (or above it, where the folder is
            called ``wavs``) or else the ``.txt`` beside each recording.

    Returns:
        What can be used, in the list's order, and what cannot.

    Raises:
        BadInputError: no such folder or list, no transcripts at all, or a list that is not UTF-8.
    """
    if not folder.is_dir():
        raise BadInputError(f"there is no folder {folder}", "Give the folder that holds the recordings.")
    if transcripts is not None:
        if not transcripts.is_file():
            raise BadInputError(f"there is no transcript list {transcripts}", "Give the path of a text file.")
        return _from_list(folder, transcripts)
    folder = folder.resolve()  # "." may be called "wavs"
    places = [folder / LIST] + ([folder.parent / LIST] if folder.name == "wavs" else [])
    listed = next((place for place in places if place.is_file()), None)
    if listed is not None:
        return _from_list(listed.parent, listed)
    entries, problems = _beside(folder)
    if not entries:
        raise BadInputError(
            f"{folder} holds no transcripts",
            f"Put a {LIST} of `name|text` lines into it, or a .txt beside each recording.",
        )
    return entries, problems


def _beside(folder: Path) -> tuple[list[Entry], list[Problem]]:
    entries, problems = [], []
    recordings = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUND and path.is_file())
    for path in recordings:
        name = _id(path.relative_to(folder).with_suffix(""))
        written = path.with_suffix(".txt")
        try:
            text = _one_line(_read(written)) if written.is_file() else None
        except BadInputError as error:
            problems.append(Problem(name, error.message))
            continue
        if text is None:
            problems.append(Problem(name, f"{path.name} has no {written.name} beside it"))
        elif not text:
            problems.append(Problem(name, f"{written.name} is empty"))
        else:
            entries.append(Entry(name, path, text, None, written.name))
    return _unique(entries, problems)


def _from_list(folder: Path, path: Path) -> tuple[list[Entry], list[Problem]]:
    entries, problems = [], []
    # Not splitlines(), for which U+2028 and others within a text end a line too.
    for number, line in enumerate(_read(path).split("\n"), 1):
        if not line.strip():
            continue
        source = f"{path.name}:{number}"
        found = _entry(folder, [_one_line(field) for field in line.split("|")], source)
        if isinstance(found, Entry):
            entries.append(found)
        else:
            problems.append(found)
    if not entries and not problems:
        raise BadInputError(f"{path.name} has no lines", "Write one `name|text` line for each recording.")
    return _unique(entries, problems)


def _entry(folder: Path, fields: list[str], source: str) -> Entry | Problem:
    name = fields[0]
    if len(fields) not in {2, 3} or not name:
        return Problem(name or source, f"{source} is not `name|text`, with at most three columns")
    as_path = Path(name).suffix.lower() in SOUND
    # In LJSpeech's form the third column is the text with its numbers spelt out; in a list of paths the speaker.
    speaker = fields[2] if as_path and len(fields) == 3 and fields[2] else None
    text = fields[1] if as_path or len(fields) == 2 else fields[2] or fields[1]
    if not text:
        return Problem(name, f"{source} has no text")
    recording = _recording(folder, name, as_path=as_path)
    if recording is None:
        return Problem(name, f"{source}: there is no recording {name} in the folder")
    relative = (
        Path(os.path.relpath(name, folder)) if Path(name).is_absolute() else Path(os.path.normpath(name))
    )
    return Entry(_id(relative.with_suffix("") if as_path else relative), recording, text, speaker, source)


def _recording(folder: Path, name: str, *, as_path: bool) -> Path | None:
    """The file that a list means; never one outside the folder."""
    candidates: Iterator[Path]
    if as_path:
        candidates = iter([folder / name, folder / "wavs" / name])
    else:
        candidates = (folder / sub / f"{name}{end}" for sub in ("wavs", ".") for end in sorted(SOUND))
    root = folder.resolve()
    try:
        return next((c for c in candidates if c.is_file() and c.resolve().is_relative_to(root)), None)
    except OSError:  # no file can be called that: the columns may be swapped
        return None


def _unique(entries: list[Entry], problems: list[Problem]) -> tuple[list[Entry], list[Problem]]:
    seen: set[str] = set()
    kept = []
    for entry in entries:
        if entry.id in seen:
            problems.append(Problem(entry.id, f"{entry.source}: {entry.id} stands twice"))
        else:
            seen.add(entry.id)
            kept.append(entry)
    return kept, problems


def _id(path: Path) -> str:
    """A clip's name: the parts of its relative path joined by ``-``, bytes that are no UTF-8 replaced."""
    name = "-".join(part for part in path.parts if part != "..")
    return name.encode("utf-8", "replace").decode()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path.name} is not UTF-8 text", "Save it as UTF-8.") from error
    except OSError as error:
        raise BadInputError(
            f"{path.name} cannot be read ({error.strerror})", "Check its permissions."
        ) from error
