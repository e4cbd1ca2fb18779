"""Texts in files beside the recordings: scripts, and transcripts with times."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from voxgrad.errors import BadInputError
from voxgrad.text.recordings import Folder, by_folded_name, clip_name, folded
from voxgrad.text.text_files import read_text
from voxgrad.text.timed_transcripts import TIMED, has_tag, is_label_track, usable
from voxgrad.text.transcript_entries import Entry, Found, Problem, unique

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
