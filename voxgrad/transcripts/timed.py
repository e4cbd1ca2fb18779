"""Transcripts with times, beside a recording: label tracks, subtitles, TextGrids and ELAN's annotations."""

import csv
import html
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import webvtt
from webvtt.models import Timestamp

from voxgrad.errors import BadInputError
from voxgrad.textgrid import read_tiers
from voxgrad.transcripts.formats import Segment, Segments, one_line, register
from voxgrad.unicode import read_text

_PHONES = re.compile(r"(?i)\b(phones?|phonemes?|segments?|syllables?|mau|kas|kan|sampa|ipa|tones?|breaks?)$")
_WORDS = re.compile(r"(?i)^(?:(.*?) - )?(words?|ort|ort-mau)$")
_ASIDE = re.compile(r"(?i)^(notes?|comments?|noises?|events?|translations?|gloss|pos|pitch|misc|default-cp)$")
_NOBODY = re.compile(
    r"(?i)^(utterances?|utt|text|transcript(ion)?s?|sentences?|phrases?|orthograph\w*|default(-lt)?|tier ?\d*|)$"
)
_WORDS_APART = 0.4  # seconds of silence between words that end an utterance
_CUES_APART = 0.3
_LONGEST_JOINED = 12.0
_END_OF_SENTENCE = re.compile(r"[.!?…][\"'”’)]*$")
_BRACKETS = re.compile(r"\[[^\]]*\]|\([^)]*\)")
_OVERRIDE = re.compile(r"\{\\[^}]*\}")  # {\an8}: a place on the screen, in SubRip files too
_CLOCK = re.compile(r"\d\d:\d\d:?\S*\s*-+>?")
_OVERLAP = 0.1


@register("textgrid", "timed", ".TextGrid")
def _textgrid(path: Path) -> Segments:
    """Praat's TextGrid, in any of its formats; tiers are speakers where their names are of nobody's form."""
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
    yield from _joined(cues)


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


def _joined(cues: list[Segment]) -> list[Segment]:
    """Cues that follow each other within a sentence become one."""
    joined: list[Segment] = []
    for cue in cues:
        if joined and _goes_on(joined[-1], cue):
            joined[-1] = replace(joined[-1], stop=cue.stop, text=f"{joined[-1].text} {cue.text}")
        else:
            joined.append(cue)
    return joined


def _goes_on(last: Segment, cue: Segment) -> bool:
    return (
        last.start < last.stop < cue.stop
        and last.stop - _OVERLAP <= cue.start <= last.stop + _CUES_APART
        and cue.speaker in {last.speaker, None}
        and not _END_OF_SENTENCE.search(last.text)
        and not _has_note(last.text)
        and not _has_note(cue.text)
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
        speaker = None if _NOBODY.match(who) else who
        yield from (replace(segment, speaker=speaker) for segment in segments if segment.text)


def _sentences(words: list[Segment]) -> list[Segment]:
    """Words between pauses as one segment."""
    joined: list[Segment] = []
    for word in words:
        if not word.text or re.fullmatch(r"<?(sil|sp|spn|p|eps)>?", word.text):
            continue
        if joined and word.start - joined[-1].stop <= _WORDS_APART:
            joined[-1] = replace(joined[-1], stop=word.stop, text=f"{joined[-1].text} {word.text}")
        else:
            joined.append(word)
    return joined


def usable(read: Iterable[Segment | str]) -> tuple[list[Segment], list[str]]:
    """Segments in the order of time, without those whose times cannot be; and what is wrong with the others."""
    segments, reasons = [], []
    for segment in read:
        if isinstance(segment, str):
            reasons.append(segment)
        elif _has_note(segment.text) or has_tag(segment.text):
            reasons.append(f"{segment.source} contains a note that is not spoken: {segment.text}")
        elif not 0 <= segment.start < segment.stop < float("inf"):
            reasons.append(f"{segment.source} has impossible times: {segment.start:g} to {segment.stop:g} s")
        else:
            segments.append(segment)
    segments.sort(key=lambda segment: (segment.start, segment.stop))
    clashes = set[int]()
    latest = 0
    for index, segment in enumerate(segments[1:], 1):
        if segment.start < segments[latest].stop - _OVERLAP:
            clashes |= {latest, index}
        if segment.stop > segments[latest].stop:
            latest = index
    reasons += [f"{segments[index].source} overlaps with another" for index in sorted(clashes)]
    kept = [segment for index, segment in enumerate(segments) if index not in clashes]
    # What still overlaps by less than a tenth of a second is parted in the middle.
    for index, (before, after) in enumerate(pairwise(kept)):
        if after.start < before.stop:
            middle = (after.start + before.stop) / 2
            kept[index], kept[index + 1] = replace(before, stop=middle), replace(after, start=middle)
    return kept, reasons


_TAG = re.compile(r"</?[A-Za-z][^<>]*>")


def has_tag(text: str) -> bool:
    """Whether a text has markup in it that would be read aloud, such as ``<unk>``."""
    return _TAG.search(text) is not None


def _has_note(text: str) -> bool:
    """Whether a text holds ``[Music]``, ♪, or nothing but ``(applause)``."""
    return "[" in text or text.startswith(("♪", "♫")) or not _BRACKETS.sub("", text).strip(" *#–-")
