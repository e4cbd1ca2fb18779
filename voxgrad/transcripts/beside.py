"""Texts in files beside the recordings: scripts, and transcripts with times."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.transcripts.formats import FORMATS, Entry, Problem, Segment, Transcripts, of_kind, one_line, register
from voxgrad.transcripts.recordings import Folder, by_folded_name, clip_name, folded
from voxgrad.transcripts.timed import has_tag, is_label_track, usable
from voxgrad.unicode import read_text

BESIDE: Final = "beside"
"""The format of a script: ``.txt`` or ``.lab`` beside each recording."""
_SCRIPT: Final = (".txt", ".lab")
_LABELS: Final = "audacity"
_NUMBER: Final = re.compile(r"[-+]?[\d.,:]*\d[\d.,:]*")


@register(BESIDE, "script", _SCRIPT[0])
def _script(path: Path) -> Iterator[str]:
    """The text of a file that holds nothing else."""
    content = read_text(path).text
    text = one_line(content)
    reason = f"is no script: {other}" if (other := _other_form(content)) else "" if text else "is empty"
    if reason:
        raise BadInputError(f"{path.name} {reason}", "Write exactly what is said.")
    yield text


def read_beside(folder: Folder, forms: Sequence[str] = (), *, untold: bool) -> Transcripts:
    """The texts beside the recordings of a folder, or called as them in another folder within.

    Args:
        folder: of the recordings.
        forms: those that are looked for, the best first; none: all.
        untold: recordings without a text are entries with an empty one.
    """
    texts = _Texts(folder, forms or (*of_kind("timed"), BESIDE))
    entries: list[Entry] = []
    problems: list[Problem] = []
    forms_read: Counter[str] = Counter()
    others: set[str] = set()
    used: set[PurePosixPath] = set()
    for file in folder.recordings:
        name, reason = clip_name(folder.name_of(file)), folder.missing(file)
        choices = [] if reason else texts.of(file)
        if choices:
            reason = texts.ambiguity(file, choices[0][1])
        elif not reason and untold:
            entries.append(Entry(name, folder.path / file, "", None, file.name))
            continue
        if reason or not choices:
            problems.append(Problem(name, reason or f"{file.name} has no {texts.wanted(file)} beside it"))
            continue
        form, text = choices[0]
        entry, wrong = _entry(folder, file, name, text, form)
        entries += [] if entry is None else [entry]
        problems += wrong
        forms_read[form] += 1
        used.add(text)
        others |= {other for other, _ in choices} - {form}
    alone = [file for file in texts.without_notes() if file not in used and not texts.owners[file]]
    problems += [
        Problem(clip_name(file.parent / file.stem), f"{file} has no recording of the same name") for file in alone
    ]
    chosen = " and ".join(form for form, _ in forms_read.most_common()) or BESIDE
    return Transcripts.of(entries, problems, chosen, others=tuple(sorted(others)))


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
            return next(_script(path))
    return None


class _Texts:
    """The files of a folder that may hold the text of a recording.

    Attributes:
        owners: of each, the recordings that it belongs to by its name.
    """

    def __init__(self, folder: Folder, forms: Sequence[str]) -> None:
        self.folder = folder
        self.forms = forms
        endings = {ending for form in forms for ending in _endings(form)}
        files = [file for file in folder.files if file.suffix.lower() in endings]
        self.owners = {file: folder.called_as(file) for file in files}
        self.texts: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
        for file, owners in self.owners.items():
            for owner in owners:
                self.texts[owner].append(file)
        self.timed = [file for file in files if not _is_script(file)]

    def of(self, recording: PurePosixPath) -> list[tuple[str, PurePosixPath]]:
        """The texts of a recording with their forms, the best first: those beside it, or else the only others."""
        alike = self.texts[recording]
        near = [file for file in alike if file.parent == recording.parent]
        if not alike and len(self.folder.recordings) == 1:
            alike = self._alone()
        found = []
        for form in self.forms:
            files = [file for file in (near or alike) if file.suffix.lower() in _endings(form)]
            if near or len(files) == 1:
                found += [(form, file) for file in files if self._may_be(form, file)]
        return found

    def wanted(self, recording: PurePosixPath) -> str:
        """What a recording's text would be called."""
        return recording.with_suffix(FORMATS[BESIDE if BESIDE in self.forms else self.forms[0]].expects).name

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
        scripts = [file for file in self.owners if _is_script(file)] if _LABELS in self.forms else []
        alone = self.timed + [file for file in scripts if self._has_labels(file)]
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


def _endings(form: str) -> tuple[str, ...]:
    return _SCRIPT if form == BESIDE else (FORMATS[form].expects.lower(),)


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
        if form != BESIDE:
            return timed_entry(name, recording, FORMATS[form].read(path), path.name)
        return Entry(name, recording, next(_script(path)), None, path.name), []
    except BadInputError as error:
        return None, [Problem(name, error.message)]


def timed_entry(
    name: str, recording: Path, segments: Iterable[Segment | str], source: str
) -> tuple[Entry | None, list[Problem]]:
    """A recording whose text has times, and what of it cannot be used; None where nothing can.

    Args:
        name: of the clip.
        recording: its file.
        segments: as they were read.
        source: where they were found, for messages.
    """
    kept, reasons = usable(segments)
    problems = [Problem(name, reason) for reason in reasons]
    if not kept:
        return None, problems or [Problem(name, f"{source} has no text with times")]
    text = " ".join(segment.text for segment in kept)
    return Entry(name, recording, text, None, source, tuple(kept)), problems


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
        "its lines begin with two numbers; separate times and text with tabs": several and 2 * sum(timed) > len(lines),
        "it holds more numbers than words": (several or "\t" in content) and 2 * sum(numbers) > len(words),
        "it contains a tag that is not spoken": has_tag(content),
    }
    return next((name for name, true in looks.items() if true), "")
