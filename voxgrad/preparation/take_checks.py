"""Checks a take of a recording session: its level, its noise, and whether it is the sentence that was shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from voxgrad.audio.clean import CleanedClip, cut_clip, open_recording
from voxgrad.audio.mel import log_mel
from voxgrad.errors import BadInputError
from voxgrad.preparation.alignment import Reading, reading
from voxgrad.preparation.phones import phones_of
from voxgrad.settings import PrepareSpec
from voxgrad.text.lexicon import NONE
from voxgrad.text.symbols import ENGLISH


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Of a right take; docs/research/preparation.md has the figures."""

    distance: float
    """Nats a frame from the likeliest phones."""
    other: float
    """Nats by which another text may be likelier."""
    left_out: float
    """Nats by which the text may be likelier without some of its words."""


_ENGLISH: Final = _Bounds(1.0, 0.0, 5.0)
_NEAREST: Final = _Bounds(1.7, 10.0, 18.0)
"""Of the phones of other languages, which are heard as the nearest ones of English."""
_REPEATED: Final = 16.0
"""Nats, for one nat of distance: a voice that the classifier hears less well gains more by chance."""


@dataclass(frozen=True, slots=True)
class TakeProblem:
    """A problem of a take: a code for programs, and a sentence that says what to do."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class TakeReport:
    """A take, checked.

    Attributes:
        problems: none where it can be used.
        seconds: of speech; 0 where nothing can be measured.
        snr_db: speech over background.
        clipped: share of its samples that stand at its limit.
        gain_db: that would bring it to the loudness of a clip.
        phones_per_second: rate of speech, by the text.
        reading: how the text was read; None where it was too long or too short to be compared.
    """

    problems: tuple[TakeProblem, ...]
    seconds: float = 0.0
    snr_db: float = 0.0
    clipped: float = 0.0
    gain_db: float = 0.0
    phones_per_second: float = 0.0
    reading: Reading | None = None


def check_take(
    path: Path, text: str, others: Sequence[str], preset: PrepareSpec, language: str = ENGLISH
) -> TakeReport:
    """Check one recording of the text of a prompt, as ``preset`` will clean it and warn of it.

    ``others`` are texts that may have been read by mistake.

    Raises:
        BadInputError: the text cannot be read.
    """
    spoken = len(phones_of(text, language))
    try:
        opened = open_recording(path, preset.audio)
        clip = cut_clip(opened, (0.0, opened.waveform.seconds), preset.audio, path.name)
    except BadInputError as error:
        code = "silent" if "silent" in error.message else "unreadable"
        message = "Nothing was heard: check the microphone." if code == "silent" else f"{error.message}."
        return TakeReport((TakeProblem(code, message.replace(str(path), "The recording")),))
    found = None
    if clip.waveform.seconds <= preset.audio.max_seconds:
        mel = log_mel(torch.from_numpy(clip.waveform.samples), preset.audio.mel)
        found = reading(text, mel, others, NONE, language)
    rate = spoken / clip.waveform.seconds
    return TakeReport(
        tuple(_problems(clip, rate, found, preset, _ENGLISH if language == ENGLISH else _NEAREST)),
        round(clip.waveform.seconds, 2),
        clip.measures.snr_db,
        clip.source.clipped,
        round(clip.gain, 1),
        round(rate, 1),
        found,
    )


def _problems(
    clip: CleanedClip, rate: float, found: Reading | None, preset: PrepareSpec, bounds: _Bounds
) -> Iterator[TakeProblem]:
    checks = preset.checks
    slow, fast = checks.warn_phones_per_second
    if clip.source.clipped > checks.warn_clipped:
        yield TakeProblem("clipped", "It is clipped: move away from the microphone, or turn it down.")
    if clip.gain > checks.warn_gain_db:
        yield TakeProblem("quiet", "It is too quiet: move closer to the microphone, or turn it up.")
    if clip.measures.snr_db < checks.warn_snr_db:
        yield TakeProblem("noisy", "The background is too loud: find a quieter place.")
    if clip.leading <= 0:
        yield TakeProblem("cut_start", "Its beginning is cut off: wait a moment before you speak.")
    if clip.trailing <= 0:
        yield TakeProblem("cut_end", "Its end is cut off: wait a moment after the last word.")
    if clip.waveform.seconds > preset.audio.max_seconds or rate < slow:
        yield TakeProblem("long", "It is too long for its text: read it without long pauses.")
    elif rate > fast:
        yield TakeProblem("short", "It is too short for its text: read all of it, more slowly.")
    elif found is not None:
        yield from _misread(found, clip.waveform.seconds, bounds)


def _misread(found: Reading, seconds: float, bounds: _Bounds) -> Iterator[TakeProblem]:
    exactly = "read exactly what is shown."
    words, gain = found.left_out
    again, likelier = found.repeated
    if found.distance > bounds.distance or (found.other is not None and found.other > bounds.other):
        yield TakeProblem("text", f"It does not sound like its text: {exactly}")
    elif gain > bounds.left_out * max(1, seconds / 6):  # more words, more chances
        yield TakeProblem("left_out", f"“{words}” seems to be missing: {exactly}")
    elif likelier > _REPEATED * (found.distance + 0.15):
        yield TakeProblem("repeated", f"“{again}” seems to be said twice: {exactly}")
