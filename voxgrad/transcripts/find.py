"""Which text belongs to which recording: by a list, by a corpus's folders, or by files beside the recordings."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from pydantic import Field

from voxgrad.errors import BadInputError
from voxgrad.settings import Spec
from voxgrad.transcripts.corpora import CORPORA
from voxgrad.transcripts.lists import FORMATS, BadRow, Row, no_lines, recognise, rows
from voxgrad.transcripts.recordings import Folder, by_folded_name, clip_name, folded, public_name
from voxgrad.transcripts.timed import TIMED, Segment, has_tag, is_label_track, usable
from voxgrad.unicode import read_text


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
    segments: tuple[Segment, ...] = ()
    """The parts that have a text, in order; none: the text is of the whole recording."""


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
        form: a list's (see `voxgrad.transcripts.lists.FORMATS`), a corpus's
            (`voxgrad.transcripts.corpora.CORPORA`), or that of the files beside the recordings (``beside``, or of
            `voxgrad.transcripts.timed.TIMED`); several are joined by " and ".
        source: name of the list; empty where there is none.
        encoding: of the list.
        others: forms that are there too, and were not chosen.
        unlisted: how many recordings of the folder the list does not name.
        notices: what is odd, in sentences.
    """

    entries: list[Entry]
    problems: list[Problem]
    form: str
    source: str = ""
    encoding: str = "UTF-8"
    others: tuple[str, ...] = ()
    unlisted: int = 0
    notices: list[str] = field(default_factory=list)

    @property
    def texts(self) -> int:
        """How many texts there are: several of a recording with times."""
        return sum(max(1, len(entry.segments)) for entry in self.entries)


def unique(entries: list[Entry], problems: list[Problem]) -> tuple[list[Entry], list[Problem]]:
    """Leaves out entries that are called as one before; they are added to the problems."""
    seen: set[str] = set()
    kept = []
    for entry in entries:
        if entry.id in seen:
            problems.append(Problem(entry.id, f"{entry.source}: {entry.id} occurs twice"))
        else:
            seen.add(entry.id)
            kept.append(entry)
    return kept, problems


BESIDE = "beside"
"""The form that is no list: ``.txt`` or ``.lab`` beside each recording."""
FORMS = (*TIMED, BESIDE)
_SCRIPT = (".txt", ".lab")
_LABELS = "audacity"
_ENDINGS = {form: (timed.ending.lower(),) for form, timed in TIMED.items()} | {BESIDE: _SCRIPT}
_NUMBER = re.compile(r"[-+]?[\d.,:]*\d[\d.,:]*")


def read_beside(folder: Folder, forms: Sequence[str] = FORMS, *, untold: bool) -> Found:
    """The texts beside the recordings of a folder, or called as them in another folder within.

    Args:
        folder: of the recordings.
        forms: those that are looked for, the best first.
        untold: recordings without a text are entries with an empty one.
    """
    texts = _Texts(folder, forms)
    entries: list[Entry] = []
    problems: list[Problem] = []
    forms_read: Counter[str] = Counter()
    left: Counter[str] = Counter()
    used: set[PurePosixPath] = set()
    for file in folder.recordings:
        name = clip_name(folder.name_of(file))
        if (reason := folder.missing(file)) != "":
            problems.append(Problem(name, reason))
            continue
        found = texts.of(file)
        if not found:
            if untold:
                entries.append(Entry(name, folder.path / file, "", None, file.name))
            else:
                problems.append(Problem(name, f"{file.name} has no {_wanted(file, forms)} beside it"))
            continue
        form, text = found[0]
        if (reason := texts.ambiguity(file, text)) != "":
            problems.append(Problem(name, reason))
            continue
        entry, wrong = _entry(folder, file, name, text, form)
        entries += [] if entry is None else [entry]
        problems += wrong
        forms_read[form] += 1
        used.add(text)
        left.update({one for one, _ in found[1:]} - {form})
    alone = [file for file in texts.without_notes() if file not in used and not texts.owners[file]]
    problems += [
        Problem(clip_name(file.parent / file.stem), f"{file} has no recording called as it") for file in alone
    ]
    chosen = " and ".join(form for form, _ in forms_read.most_common()) or BESIDE
    return Found(*unique(entries, problems), chosen, others=tuple(left))


def script_beside(recording: Path) -> str | None:
    """The script of a recording, in a ``.txt`` or ``.lab`` called as it; None where there is none.

    Raises:
        BadInputError: it is empty, or no script.
    """
    there = by_folded_name(recording.parent)
    for name in (f"{label}{ending}" for label in (recording.name, recording.stem) for ending in _SCRIPT):
        exact = recording.with_name(name)
        path = exact if exact.is_file() else there.get(folded(name), exact)
        if path.is_file():
            entry, problems = _script(recording.stem, recording, path)
            if entry is None:
                raise BadInputError(problems[0].reason, "Write down what is said, word for word.")
            return entry.text
    return None


def _wanted(file: PurePosixPath, forms: Sequence[str]) -> str:
    ending = ".txt" if BESIDE in forms else TIMED[forms[0]].ending
    return file.with_suffix(ending).name


class _Texts:
    """The files of a folder that may hold the text of a recording.

    Attributes:
        owners: of each, the recordings that it belongs to by its name.
    """

    def __init__(self, folder: Folder, forms: Sequence[str]) -> None:
        self.folder = folder
        self.forms = forms
        endings = {ending for form in forms for ending in _ENDINGS[form]}
        texts = [file for file in folder.files if file.suffix.lower() in endings]
        self.owners = {file: folder.called_as(file) for file in texts}
        self.texts: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
        for file, owners in self.owners.items():
            for owner in owners:
                self.texts[owner].append(file)
        self.timed = [file for file in texts if not _is_script(file)]

    def of(self, recording: PurePosixPath) -> list[tuple[str, PurePosixPath]]:
        """The texts of a recording with their forms, the best first: those beside it, or else the only others."""
        alike = self.texts[recording]
        near = [file for file in alike if file.parent == recording.parent]
        if not near and len(self.folder.recordings) == 1 and not alike:
            alike = self._alone()
        found = []
        for form in self.forms:
            files = [file for file in (near or alike) if file.suffix.lower() in _ENDINGS[form]]
            if near or len(files) == 1:
                found += [(form, file) for file in files if self._may_be(form, file)]
        return found

    def without_notes(self) -> list[PurePosixPath]:
        """What was meant for a recording: all with times, and scripts in folders of their own."""
        places = {file.parent for file in self.folder.recordings}
        scripts = [file for file in self.owners if _is_script(file)]
        return self.timed + [file for file in scripts if len(file.parts) > 1 and file.parent not in places]

    def ambiguity(self, recording: PurePosixPath, text: PurePosixPath) -> str:
        """That a text may belong to another recording beside this one; empty where it may not."""
        others = [file for file in self.owners[text] if file.parent == recording.parent and file != recording]
        if not others:
            return ""
        called = " or ".join(f"{file.name}{text.suffix}" for file in (recording, others[0]))
        return f"{text.name} may be the text of {recording.name} or of {others[0].name}: call it {called}"

    def _alone(self) -> list[PurePosixPath]:
        """What must be meant, where there is one recording: the only file with times."""
        tracks = [file for file in self.owners if _is_script(file)]
        labels = [file for file in tracks if _LABELS in self.forms and self._has_labels(file)]
        alone = self.timed + labels
        return alone if len(alone) == 1 else []

    def _may_be(self, form: str, file: PurePosixPath) -> bool:
        """A ``.txt`` is a script or a label track, whichever it looks like; what was asked for, it is."""
        if not _is_script(file) or len({_LABELS, BESIDE} & set(self.forms)) == 1:
            return True
        return self._has_labels(file) == (form == _LABELS)

    def _has_labels(self, file: PurePosixPath) -> bool:
        try:
            return is_label_track(read_text(self.folder.path / file).text)
        except BadInputError:
            return False


def _is_script(file: PurePosixPath) -> bool:
    return file.suffix.lower() in _SCRIPT


def _entry(
    folder: Folder, file: PurePosixPath, name: str, text: PurePosixPath, form: str
) -> tuple[Entry | None, list[Problem]]:
    """A recording with its text, and what of it cannot be used."""
    if (reason := folder.missing(text)) != "":
        return None, [Problem(name, reason)]
    recording, path = folder.path / file, folder.path / text
    try:
        return _script(name, recording, path) if form == BESIDE else _timed(name, recording, path, form)
    except BadInputError as error:
        return None, [Problem(name, error.message)]


def _timed(name: str, recording: Path, path: Path, form: str) -> tuple[Entry | None, list[Problem]]:
    segments, reasons = usable(TIMED[form].read(path))
    problems = [Problem(name, reason) for reason in reasons]
    if not segments:
        return None, problems or [Problem(name, f"{path.name} has no text with times")]
    text = " ".join(one.text for one in segments)
    return Entry(name, recording, text, None, path.name, tuple(segments)), problems


def _script(name: str, recording: Path, path: Path) -> tuple[Entry | None, list[Problem]]:
    content = read_text(path).text
    text = " ".join(content.split())
    if not text:
        return None, [Problem(name, f"{path.name} is empty")]
    other = _other_form(content)
    if other:
        return None, [Problem(name, f"{path.name} is no script: {other}")]
    return Entry(name, recording, text, None, path.name), []


def _other_form(content: str) -> str:
    """What a text looks like that nobody could read aloud; empty where somebody could."""
    lines = [line for line in content.split("\n") if line.strip()]
    several = len(lines) > 1
    words = content.split()
    numbers = [bool(_NUMBER.fullmatch(word)) for word in words]
    bars = sum("|" in line for line in lines)
    timed = [all(_NUMBER.fullmatch(word) for word in [*line.split(), "x", "x"][:2]) for line in lines]
    looks = {
        "it looks like subtitles; call it .srt or .vtt": "-->" in content,
        "it looks like a TextGrid; call it .TextGrid": content.startswith(("File type = ", '"ooTextFile')),
        "it looks like a label track; read it with --format audacity": is_label_track(content),
        "it looks like a list; give it with --transcripts": several and 2 * bars > len(lines),
        "its lines begin with two numbers; part times and text by tabs": several
        and 2 * sum(timed) > len(lines),
        "it holds more numbers than words": (several or "\t" in content) and 2 * sum(numbers) > len(words),
        "it has a tag in it, which nobody says": has_tag(content),
    }
    return next((name for name, true in looks.items() if true), "")


__all__ = ["BESIDE", "Entry", "Found", "Problem", "TranscriptSpec", "find_transcripts"]


class TranscriptSpec(Spec):
    """Where the texts of recordings are."""

    transcripts: Path | None = Field(default=None, json_schema_extra={"metavar": "FILE"})
    """File of the transcripts (default: found in the folder)."""
    form: str | None = Field(
        default=None,
        json_schema_extra={
            "option": "--format",
            "metavar": "FORMAT",
            "enum": [*FORMATS, *CORPORA, *FORMS],
        },
    )
    """Format of the transcripts (default: detected)."""


_LISTS = ("metadata.csv", "metadata.jsonl", "metadata.list", "metadata.txt")
_LIST_ENDINGS = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".list", ".psv"})
_LIST_FOLDERS = (".", "filelists")
_SPLITS = re.compile(r"(?<![a-z])(train|training|val|valid|validation|dev|test|eval)(?![a-z])")
_LOOKED_AT = 50
_MANY_FAIL = 0.1


def find_transcripts(
    folder: Path, transcripts: Path | None = None, form: str | None = None, *, untold: bool = False
) -> Found:
    """Pairs the recordings of a folder with their texts.

    Args:
        folder: of recordings, or with folders of them.
        transcripts: a list, or a file with times; without one, ``metadata.csv`` in the folder (or above it, where
            the folder is called ``wavs``), a corpus that is known by its folders, the only list in the folder, or
            else the texts beside each recording.
        form: what the texts are; None: it is recognised.
        untold: recordings without a text are entries with an empty one.

    Raises:
        BadInputError: no such folder, list or form, several lists, no transcripts at all, or a list that is no text.
    """
    if not folder.is_dir():
        raise BadInputError(f"there is no folder {folder}", "Give the folder that holds the recordings.")
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
    found = chosen.read()
    without = len(opened.recordings) - len({entry.recording for entry in found.entries}) - len(found.problems)
    others = {name for other in choices for name in other.names} | set(found.others)
    others -= {found.form, found.source}
    return replace(found, others=tuple(sorted(others)), unlisted=max(0, without) if found.source else 0)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Transcripts that a folder may be read by: what messages call them, and how they are read."""

    names: tuple[str, ...]
    read: Callable[[], Found]


def _choices(folder: Folder, *, untold: bool) -> Iterator[_Choice]:
    """All that a folder may be read by, the best first."""
    usual = _usual_list(folder.path)
    if usual is not None:
        yield _Choice((usual.name,), lambda: _from_lists(Folder(usual.parent), [usual], None))
    for name, corpus in CORPORA.items():
        if signs := corpus.signs(folder):
            yield _Choice((name,), lambda name=name, signs=signs: _corpus(folder, name, signs))  # type: ignore[misc]
    lists = _other_lists(folder)
    if lists and usual is None:
        yield _Choice(
            tuple(path.name for path in lists), lambda: _from_lists(folder, _one_set(folder, lists), None)
        )
    if CORPORA["vctk"].signs(folder):  # its texts are called as its recordings too
        return
    beside = read_beside(folder, untold=untold)
    if not all(one.reason.endswith("beside it") for one in beside.problems) or beside.entries:
        yield _Choice((beside.form,), lambda: beside)


def _no_transcripts(folder: Folder) -> BadInputError:
    if not folder.recordings:
        return BadInputError(f"{folder.path} holds no recordings", "Give the folder that holds audio files.")
    return BadInputError(
        f"{folder.path} holds no transcripts",
        "Put a metadata.csv of `name|text` lines into it, or a .txt beside each recording; or have the recordings "
        "written down with --transcribe auto.",
    )


def _in_form(folder: Folder, form: str, *, untold: bool) -> Found:
    if form in FORMS:
        return read_beside(folder, (form,), untold=untold)
    if form in CORPORA:
        signs = CORPORA[form].signs(folder)
        if not signs:
            message = f"{folder.path} holds no {CORPORA[form].expects}, which {form} is known by"
            raise BadInputError(message, "Give the corpus's own folder, or another --format.")
        return _corpus(folder, form, signs)
    usual = _usual_list(folder.path)
    lists = [usual] if usual is not None else _one_set(folder, _other_lists(folder))
    if not lists:
        raise BadInputError(f"{folder.path} holds no list", "Name one with --transcripts.")
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
    texts = [
        path
        for path in near
        if path.suffix.lower() == ".txt" and not folder.called_as(PurePosixPath(path.name))
    ]
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
        raise BadInputError(f"{folder.path} holds several lists: {names}", "Choose one with --transcripts.")
    return sorted(lists, key=lambda path: ("train" not in path.stem, path))


def _from_file(folder: Folder, path: Path, form: str | None) -> Found:
    """A list, or a file with times that belongs to a recording called as it, or to the only one."""
    timed = form if form in TIMED else None if form is not None else _timed_form(path)
    if timed is None:
        return _from_lists(folder, [path], form)
    meant = folder.called_as(PurePosixPath(path.name)) or folder.recordings
    if len(meant) != 1:
        raise BadInputError(
            f"{path.name} has no recording of its own called as it",
            "Call both the same, as a.wav and a.wav.srt.",
        )
    segments, reasons = usable(TIMED[timed].read(path))
    name = clip_name(folder.name_of(meant[0]))
    text = " ".join(one.text for one in segments)
    entry = Entry(name, folder.path / meant[0], text, None, path.name, tuple(segments))
    problems = [Problem(name, reason) for reason in reasons]
    if not segments:
        problems = problems or [Problem(name, f"{path.name} has no text with times")]
    return Found([entry] if segments else [], problems, timed, path.name)


def _timed_form(path: Path) -> str | None:
    if path.suffix.lower() == ".txt":
        return "audacity" if is_label_track(read_text(path).text) else None
    return next((form for form, timed in TIMED.items() if path.suffix.lower() == timed.ending.lower()), None)


def _from_lists(folder: Folder, paths: list[Path], form: str | None) -> Found:
    if form in {*FORMS, *CORPORA}:
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
    return Found(
        *unique(entries, problems), " and ".join(dict.fromkeys(forms)), names, other, notices=notices
    )


def _failing(name: str, content: str, chosen: str, failed: int, lines: int) -> str:
    """That many lines cannot be used, and the form that fewest lines fail in."""
    fits = {
        form: sum(isinstance(row, Row) and bool(row.text) for row in rows(content, form)) for form in FORMATS
    }
    nearest = max(fits, key=lambda form: (fits[form], form == chosen))
    advice = (
        ", which fits it best" if nearest == chosen else f", and looks like {nearest}: try --format {nearest}"
    )
    return f"{failed} of {lines} lines of {name} cannot be used; it was read as {chosen}{advice}"


def _corpus(folder: Folder, name: str, signs: list[PurePosixPath]) -> Found:
    entries, problems = _resolved(folder, CORPORA[name].rows(folder, signs), name)
    if not entries and not problems:
        raise BadInputError(f"{signs[0]} has no lines", "Give the complete corpus, or another --format.")
    return Found(
        *unique(entries, problems), name, f"{signs[0]}" if len(signs) == 1 else f"{len(signs)} files"
    )


def _resolved(folder: Folder, listed: Iterable[Row | BadRow], name: str) -> tuple[list[Entry], list[Problem]]:
    """Rows with their recordings; those with times are gathered by recording."""
    entries: list[Entry] = []
    problems: list[Problem] = []
    parts: dict[str, tuple[Path, list[Segment]]] = {}
    for row in listed:
        file = row.source or name
        source = f"{file}:{row.line}" if row.line else file
        if isinstance(row, BadRow):
            problems.append(Problem(public_name(row.name) or source, f"{source} {row.reason}"))
            continue
        if not row.text:
            problems.append(Problem(public_name(row.name), f"{source} has no text"))
            continue
        if row.span is None and has_tag(row.text):
            reason = f"{source} has a tag in it, which nobody says: {row.text}"
            problems.append(Problem(public_name(row.name), reason))
            continue
        match = folder.find(row.name, row.base)
        if isinstance(match, str):
            problems.append(Problem(public_name(row.name), f"{source}: {match}"))
        elif row.span is None:
            entries.append(Entry(clip_name(match.name), match.path, row.text, row.speaker, source))
        else:
            _, segments = parts.setdefault(clip_name(match.name), (match.path, []))
            segments.append(Segment(*row.span, row.text, row.speaker, source))
    for called, (path, segments) in parts.items():
        kept, reasons = usable(segments)
        problems += [Problem(called, reason) for reason in reasons]
        text = " ".join(one.text for one in kept)
        if kept:
            entries.append(Entry(called, path, text, None, kept[0].source.partition(":")[0], tuple(kept)))
    return entries, problems
