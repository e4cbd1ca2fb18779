"""Readers of text files beside the recordings: scripts, label tracks, subtitles, TextGrids and ELAN annotations."""

import csv
import html
import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final
from xml.etree import ElementTree as ET

import webvtt
from webvtt.models import Timestamp

from voxgrad.errors import BadInputError
from voxgrad.textgrid import read_tiers
from voxgrad.transcripts.recordings import Folder, by_folded_name, clip_name, folded
from voxgrad.transcripts.registry import (
    FORMATS,
    OVERLAP,
    Entry,
    Problem,
    Segment,
    Segments,
    Transcripts,
    has_note,
    has_tag,
    of_kind,
    one_line,
    register,
    timed_entry,
)
from voxgrad.unicode import read_text

_PHONES = re.compile(r"(?i)\b(phones?|phonemes?|segments?|syllables?|mau|kas|kan|sampa|ipa|tones?|breaks?)$")
_WORDS = re.compile(r"(?i)^(?:(.*?) - )?(words?|ort|ort-mau)$")
_ASIDE = re.compile(r"(?i)^(notes?|comments?|noises?|events?|translations?|gloss|pos|pitch|misc|default-cp)$")
_GENERIC_NAME = re.compile(
    r"(?i)^(utterances?|utt|text|transcript(ion)?s?|sentences?|phrases?|orthograph\w*|default(-lt)?|tier ?\d*|)$"
)
_WORDS_APART = 0.4  # seconds of silence between words that end an utterance
_CUES_APART = 0.3
_LONGEST_JOINED = 12.0
_END_OF_SENTENCE = re.compile(r"[.!?…][\"'”’)]*$")
_OVERRIDE = re.compile(r"\{\\[^}]*\}")  # {\an8}: a place on the screen, in SubRip files too
_CLOCK = re.compile(r"\d\d:\d\d:?\S*\s*-+>?")


@register("textgrid", "timed", ".TextGrid")
def _textgrid(path: Path) -> Segments:
    """Praat's TextGrid, in any of its formats; tiers are speakers unless their names are generic."""
    tiers = []
    for name, intervals in read_tiers(path):
        source = f"{path.name}, tier {name!r}, interval"
        segments = [
            Segment(interval.start, interval.stop, one_line(interval.label), None, f"{source} {number}")
            for number, interval in enumerate(intervals, 1)
        ]
        tiers.append((name, segments))
    yield from _of_tiers(path.name, tiers)


@register("elan", "timed", ".eaf")
def _elan(path: Path) -> Segments:
    """ELAN's ``.eaf``: the tiers with times of their own; the participant, or else the tier, is the speaker."""
    try:
        root = ET.fromstring(path.read_bytes())  # noqa: S314 (expat refuses entities that explode)
    except (ET.ParseError, OSError, ValueError, LookupError) as error:
        raise BadInputError(f"{path.name} cannot be read as ELAN's XML ({error})", "Save it again in ELAN.") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise BadInputError(f"{path.name} is not an ELAN file", "Save one in ELAN.")
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    tiers = []
    for tier in root.iter("TIER"):
        name, segments = tier.get("PARTICIPANT") or tier.get("TIER_ID") or "", []
        for number, annotation in enumerate(tier.iter("ALIGNABLE_ANNOTATION"), 1):
            source = f"{path.name}, tier {tier.get('TIER_ID')!r}, annotation {number}"
            times = _times([f"{slots.get(annotation.get(key)) or ''}" for key in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")])
            if times is None:
                yield f"{source} has no times"
                continue
            text = one_line(annotation.findtext("ANNOTATION_VALUE") or "")
            segments.append(Segment(times[0] / 1000, times[1] / 1000, text, None, source))
        if segments:
            tiers.append((name, segments))
    yield from _of_tiers(path.name, tiers)


def is_label_track(text: str) -> bool:
    """Whether most lines are two numbers and a text, by tabs."""
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("\\")]
    return bool(lines) and 2 * sum(_times(line.split("\t")) is not None for line in lines) > len(lines)


def _times(fields: list[str]) -> tuple[float, float] | None:
    try:
        return (float(fields[0]), float(fields[1])) if len(fields) > 1 else None
    except ValueError:
        return None


def _subtitles(path: Path, form: str) -> Segments:
    """SubRip or WebVTT, whose voices are speakers; cues within a sentence are joined."""
    text = read_text(path).text
    try:
        captions = webvtt.WebVTT.from_buffer(io.StringIO(text), format=form).captions
    except webvtt.errors.MalformedFileError as error:
        message = f"{path.name} is not {'SubRip' if form == 'srt' else 'WebVTT'}"
        raise BadInputError(message, "Save it again, or choose its format with --format.") from error
    yield from _unread(path.name, text, [f"{caption.start} {caption.end}" for caption in captions], form)
    cues = []
    for number, caption in enumerate(captions, 1):
        start, stop = (Timestamp.from_string(time).in_milliseconds() / 1000 for time in (caption.start, caption.end))
        source = f"{path.name}, cue {number}"
        said = [line.strip() for line in html.unescape(_OVERRIDE.sub("", caption.text)).split("\n")]
        if sum(line.startswith(("-", "–")) for line in said) > 1:
            yield f"{source} has two speakers"
        elif _CLOCK.search(caption.text):
            yield f"{source} has a time in its text, so the next cue cannot be read"
        elif spoken := one_line(" ".join(said)).lstrip("-–> "):
            cues.append(Segment(start, stop, spoken, caption.voice or None, source))
    yield from _joined(cues, _is_within_sentence)


register("vtt", "timed", ".vtt")(partial(_subtitles, form="vtt"))
register("srt", "timed", ".srt")(partial(_subtitles, form="srt"))


@register("audacity", "timed", ".txt")
def _label_track(path: Path) -> Segments:
    """Audacity's label track: start, end and text by tabs; lines that begin with a backslash are frequencies."""
    for number, line in enumerate(read_text(path).text.split("\n"), 1):
        if not line.strip() or line.startswith("\\"):
            continue
        source = f"{path.name}:{number}"
        fields = next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE))
        times = _times(fields)
        if times is None or len(fields) > 3:
            yield f"{source} is not a label track's `start end text`, by tabs"
        elif len(fields) == 3 and fields[2].strip():
            yield Segment(*times, one_line(fields[2]), None, source)


def _unread(name: str, text: str, read: list[str], form: str) -> Iterator[str]:
    """The lines of times that begin no cue: the library passes over what it cannot read."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if "-->" in line]
    if len(lines) == len(read):
        return
    left = list(read)
    for number, line in lines:
        try:
            cue = f"1\n{line}\nx\n" if form == "srt" else f"WEBVTT\n\n{line}\nx\n"
            (caption,) = webvtt.WebVTT.from_buffer(io.StringIO(cue), format=form).captions
            left.remove(f"{caption.start} {caption.end}")
        except (ValueError, webvtt.errors.MalformedFileError):
            yield f"{name}:{number} is not a readable cue"


def _joined(segments: Iterable[Segment], goes_on: Callable[[Segment, Segment], bool]) -> list[Segment]:
    joined: list[Segment] = []
    for segment in segments:
        if joined and goes_on(joined[-1], segment):
            joined[-1] = replace(joined[-1], stop=segment.stop, text=f"{joined[-1].text} {segment.text}")
        else:
            joined.append(segment)
    return joined


def _is_within_sentence(last: Segment, cue: Segment) -> bool:
    return (
        last.start < last.stop < cue.stop
        and last.stop - OVERLAP <= cue.start <= last.stop + _CUES_APART
        and cue.speaker in {last.speaker, None}
        and not _END_OF_SENTENCE.search(last.text)
        and not has_note(last.text)
        and not has_note(cue.text)
        and cue.stop - last.start <= _LONGEST_JOINED
    )


def _of_tiers(name: str, tiers: list[tuple[str, list[Segment]]]) -> Segments:
    """The tiers of utterances; where there are none, those of words."""
    plain = [tier for tier in tiers if not _PHONES.search(tier[0]) and not _ASIDE.match(tier[0].strip())]
    utterances = [tier for tier in plain if not _WORDS.match(tier[0].strip())]
    if not any(segment.text for _, segments in utterances for segment in segments):
        utterances = [(tier, _sentences(words)) for tier, words in plain if _WORDS.match(tier.strip())]
    if not any(segment.text for _, segments in utterances for segment in segments):
        held = ", ".join(repr(tier) for tier, _ in tiers) or "none"
        raise BadInputError(
            f"{name} has no tier of utterances or words with a label (tiers: {held})", "Add labels to one."
        )
    for tier, segments in utterances:
        words = _WORDS.match(tier.strip())
        who = (words[1] or "" if words else tier).strip()
        speaker = None if _GENERIC_NAME.match(who) else who
        yield from (replace(segment, speaker=speaker) for segment in segments if segment.text)


def _sentences(words: list[Segment]) -> list[Segment]:
    """Words between pauses as one segment."""
    spoken = (word for word in words if word.text and not re.fullmatch(r"<?(sil|sp|spn|p|eps)>?", word.text))
    return _joined(spoken, lambda last, word: word.start - last.stop <= _WORDS_APART)


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
    reason = f"is not a script: {other}" if (other := _other_form(content)) else "" if text else "is empty"
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
        found, wrong = _entry(folder, file, name, text, form)
        entries += found
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
    """The script of a recording, in a ``.txt`` or ``.lab`` of the same name; None if there is none.

    Raises:
        BadInputError: it is empty, or not a script.
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
) -> tuple[list[Entry], list[Problem]]:
    """A recording with its text, and what of it cannot be used."""
    if (reason := folder.missing(text)) != "":
        return [], [Problem(name, reason)]
    recording, path = folder.path / file, folder.path / text
    try:
        if form != BESIDE:
            return timed_entry(name, recording, FORMATS[form].read(path), path.name)
        return [Entry(name, recording, next(_script(path)), None, path.name)], []
    except BadInputError as error:
        return [], [Problem(name, error.message)]


def _other_form(content: str) -> str:
    """What a text looks like that cannot be read aloud; empty where it can."""
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
