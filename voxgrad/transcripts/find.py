"""Which text belongs to which recording: by a list, by a corpus's folders, or by files beside the recordings."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import Field

from voxgrad.errors import BadInputError
from voxgrad.settings import Spec
from voxgrad.transcripts.beside import is_label_track, read_beside
from voxgrad.transcripts.lists import corpus_rows, no_lines, recognise, rows
from voxgrad.transcripts.recordings import Folder, by_folded_name, clip_name, public_name
from voxgrad.transcripts.registry import (
    FORMATS,
    BadRow,
    Entry,
    Problem,
    Row,
    Segment,
    Transcripts,
    has_tag,
    of_kind,
    timed_entry,
)
from voxgrad.unicode import read_text


class TranscriptSpec(Spec):
    """Where the transcripts are, and their format."""

    transcripts: Path | None = Field(default=None, json_schema_extra={"metavar": "FILE"})
    """File of the transcripts (default: found in the folder)."""
    form: str | None = Field(
        default=None, json_schema_extra={"option": "--format", "metavar": "FORMAT", "enum": [*FORMATS]}
    )
    """Format of the transcripts (default: detected)."""


_LISTS: Final = ("metadata.csv", "metadata.jsonl", "metadata.list", "metadata.txt")
_LIST_ENDINGS: Final = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".list", ".psv"})
_LIST_FOLDERS: Final = (".", "filelists")
_SPLITS: Final = re.compile(r"(?<![a-z])(train|training|val|valid|validation|dev|test|eval)(?![a-z])")
_LOOKED_AT: Final = 50
_MANY_FAIL: Final = 0.1


def find_transcripts(
    folder: Path, transcripts: Path | None = None, form: str | None = None, *, untold: bool = False
) -> Transcripts:
    """Pairs the recordings of a folder with their texts.

    Args:
        folder: of recordings, or with folders of them.
        transcripts: a list, or a file with times; without one, ``metadata.csv`` in the folder (or above it, where
            the folder is called ``wavs``), a corpus that is known by its folders, the only list in the folder, or
            else the texts beside each recording.
        form: what the texts are; None: it is recognised.
        untold: recordings without a text are entries with an empty one.

    Raises:
        BadInputError: no such folder, list or format; several lists; no transcripts; or a list that is not text.
    """
    if not folder.is_dir():
        raise BadInputError(f"there is no folder {folder}", "Give the folder with the recordings.")
    opened = Folder(folder.resolve())  # "." may be called "wavs"
    if transcripts is not None:
        if not transcripts.is_file():
            raise BadInputError(f"there is no transcript list {transcripts}", "Give the path of a text file.")
        return _from_file(opened, transcripts, form)
    if form is not None:
        return _in_form(opened, form, untold=untold)
    choices = _choices(opened, untold=untold)
    chosen = next(choices, None)
    if chosen is None:
        raise _no_transcripts(opened)
    _, read = chosen
    found = read()
    without = len(opened.recordings) - len({entry.recording for entry in found.entries}) - len(found.problems)
    others = {name for names, _ in choices for name in names} | set(found.others)
    others -= {found.form, found.source}
    return replace(found, others=tuple(sorted(others)), unlisted=max(0, without) if found.source else 0)


def _choices(folder: Folder, *, untold: bool) -> Iterator[tuple[tuple[str, ...], Callable[[], Transcripts]]]:
    """All that a folder may be read by, the best first: what messages call it, and how it is read."""
    usual = _usual_list(folder.path)
    if usual is not None:
        yield (usual.name,), lambda: _from_lists(Folder(usual.parent), [usual], None)
    for name, corpus in of_kind("corpus").items():
        if signs := corpus.signs(folder):
            yield (name,), lambda name=name, signs=signs: _corpus(folder, name, signs)  # type: ignore[misc]
    lists = _other_lists(folder)
    if lists and usual is None:
        yield tuple(path.name for path in lists), lambda: _from_lists(folder, _one_set(folder, lists), None)
    if FORMATS["vctk"].signs(folder):  # its texts are called as its recordings too
        return
    beside = read_beside(folder, untold=untold)
    if beside.entries or not all(problem.reason.endswith("beside it") for problem in beside.problems):
        yield (beside.form,), lambda: beside


def _no_transcripts(folder: Folder) -> BadInputError:
    if not folder.recordings:
        return BadInputError(f"{folder.path} contains no recordings", "Give a folder with audio files.")
    return BadInputError(
        f"{folder.path} contains no transcripts",
        "Put a metadata.csv of `name|text` lines into it, or a .txt beside each recording; or transcribe them "
        "with `voxgrad prepare --transcribe auto`.",
    )


def _in_form(folder: Folder, form: str, *, untold: bool) -> Transcripts:
    known = FORMATS[form]
    if known.kind in {"timed", "script"}:
        return read_beside(folder, (form,), untold=untold)
    if known.kind == "corpus":
        if signs := known.signs(folder):
            return _corpus(folder, form, signs)
        message = f"{folder.path} holds no {known.expects}, by which {form} is recognised"
        raise BadInputError(message, "Give the corpus's own folder, or another --format.")
    usual = _usual_list(folder.path)
    lists = [usual] if usual is not None else _one_set(folder, _other_lists(folder))
    if not lists:
        raise BadInputError(f"{folder.path} holds no list", "Choose one with --transcripts.")
    return _from_lists(Folder(usual.parent) if usual is not None else folder, lists, form)


def _usual_list(folder: Path) -> Path | None:
    """The list that a folder holds under a usual name, or the one above a folder called ``wavs``."""
    for place in [folder] + ([folder.parent] if folder.name in {"wavs", "wav"} else []):
        there = by_folded_name(place)
        paths = [there[name] for name in _LISTS if name in there]
        if (found := next((path for path in paths if path.is_file()), None)) is not None:
            return found
    return None


def _other_lists(folder: Folder) -> list[Path]:
    """Lists under other names: by their endings, or because they name recordings."""
    near = [folder.path / file for file in folder.files if f"{file.parent}" in _LIST_FOLDERS]
    texts = [path for path in near if path.suffix.lower() == ".txt"]
    texts = [path for path in texts if not folder.called_as(PurePosixPath(path.name))]
    by_content = [path for path in texts if _names_recordings(folder, path)]
    sets = {_without_split(path) for path in by_content}
    by_content += [path for path in texts if path not in by_content and _without_split(path) in sets]
    return sorted([path for path in near if path.suffix.lower() in _LIST_ENDINGS] + by_content)


def _without_split(path: Path) -> str:
    return _SPLITS.sub("", path.stem.lower())


def _names_recordings(folder: Folder, path: Path) -> bool:
    try:
        content = read_text(path).text
    except BadInputError:
        return False
    lines = [line for line in content.split("\n") if line.strip()][:_LOOKED_AT]
    if not any("|" in line or "\t" in line or "," in line for line in lines):
        return False
    head = "\n".join(lines)
    listed = [row for row in rows(head, recognise(head, path.name)) if isinstance(row, Row)]
    known = [row for row in listed if not isinstance(folder.find(row.name), str)]
    return 2 * len(known) > len(listed)


def _one_set(folder: Folder, lists: list[Path]) -> list[Path]:
    """The only list, or those of one set: for training, validation and test.

    Raises:
        BadInputError: there are several.
    """
    if len({_without_split(path) for path in lists}) > 1:
        names = ", ".join(path.name for path in lists)
        raise BadInputError(f"{folder.path} contains several lists: {names}", "Choose one with --transcripts.")
    return sorted(lists, key=lambda path: ("train" not in path.stem, path))


def _from_file(folder: Folder, path: Path, form: str | None) -> Transcripts:
    """A list, or a file with times that belongs to a recording called as it, or to the only one."""
    timed = form if form in of_kind("timed") else None if form is not None else _timed_form(path)
    if timed is None:
        return _from_lists(folder, [path], form)
    meant = folder.called_as(PurePosixPath(path.name)) or folder.recordings
    if len(meant) != 1:
        raise BadInputError(
            f"no recording has the same name as {path.name}", "Give both the same name, such as a.wav and a.wav.srt."
        )
    name, segments = clip_name(folder.name_of(meant[0])), FORMATS[timed].read(path)
    return Transcripts(*timed_entry(name, folder.path / meant[0], segments, path.name), timed, path.name)


def _timed_form(path: Path) -> str | None:
    ending = path.suffix.lower()
    if ending == ".txt":
        return "audacity" if is_label_track(read_text(path).text) else None
    return next((form for form, timed in of_kind("timed").items() if ending == timed.expects.lower()), None)


def _from_lists(folder: Folder, paths: list[Path], form: str | None) -> Transcripts:
    if form not in of_kind("list"):
        form = None
    entries: list[Entry] = []
    problems: list[Problem] = []
    forms, notices, encodings = [], [], []
    for path in paths:
        try:
            decoded = read_text(path)
            chosen = recognise(decoded.text, path.name) if form is None else form
            listed = list(rows(decoded.text, chosen))
            if not listed:
                raise no_lines(path.name)
        except BadInputError as error:
            if len(paths) == 1:
                raise
            problems.append(Problem(path.name, error.message))
            continue
        found, wrong = _resolved(folder, listed, path.name)
        if len(wrong) > _MANY_FAIL * len(listed):
            notices.append(_failing(path.name, decoded.text, chosen, len(wrong), len(listed)))
        entries += found
        problems += wrong
        forms.append(chosen)
        encodings.append(decoded.encoding)
    other = next((encoding for encoding in encodings if encoding != "UTF-8"), "UTF-8")
    names = ", ".join(path.name for path in paths)
    return Transcripts.of(entries, problems, " and ".join(dict.fromkeys(forms)), names, other, notices=notices)


def _failing(name: str, content: str, chosen: str, failed: int, lines: int) -> str:
    """That many lines cannot be used, and the form that fewest lines fail in."""
    fits = {
        form: sum(isinstance(row, Row) and bool(row.text) for row in rows(content, form)) for form in of_kind("list")
    }
    nearest = max(fits, key=lambda form: (fits[form], form == chosen))
    advice = f"but looks like {nearest}: try --format {nearest}" if nearest != chosen else "which fits it best"
    return f"{failed} of {lines} lines of {name} cannot be used; it was read as {chosen}, {advice}"


def _corpus(folder: Folder, name: str, signs: list[PurePosixPath]) -> Transcripts:
    entries, problems = _resolved(folder, corpus_rows(name, folder, signs), name)
    if not entries and not problems:
        raise BadInputError(f"{signs[0]} has no lines", "Give the complete corpus, or another --format.")
    source = f"{signs[0]}" if len(signs) == 1 else f"{len(signs)} files"
    return Transcripts.of(entries, problems, name, source)


def _resolved(folder: Folder, listed: Iterable[Row | BadRow], name: str) -> tuple[list[Entry], list[Problem]]:
    """Rows with their recordings; those with times are gathered by recording."""
    entries: list[Entry] = []
    problems: list[Problem] = []
    parts: dict[str, tuple[Path, list[Segment]]] = {}
    for row in listed:
        file = row.source or name
        source = f"{file}:{row.line}" if row.line else file
        reason = _reason(row, source)
        match = "" if reason or isinstance(row, BadRow) else folder.find(row.name, row.base)
        if reason or isinstance(row, BadRow) or isinstance(match, str):
            problems.append(Problem(public_name(row.name) or source, reason or f"{source}: {match}"))
        elif row.span is None:
            entries.append(Entry(clip_name(match[1]), match[0], row.text, row.speaker, source, language=row.language))
        else:
            _, segments = parts.setdefault(clip_name(match[1]), (match[0], []))
            segments.append(Segment(*row.span, row.text, row.speaker, source))
    for called, (path, segments) in parts.items():
        found, wrong = timed_entry(called, path, segments, segments[0].source.partition(":")[0])
        entries += found
        problems += wrong
    return entries, problems


def _reason(row: Row | BadRow, source: str) -> str:
    """Why a row cannot be used; empty where it can."""
    if isinstance(row, BadRow):
        return f"{source} {row.reason}"
    if not row.text:
        return f"{source} has no text"
    return f"{source} contains a tag that is not spoken: {row.text}" if row.span is None and has_tag(row.text) else ""
