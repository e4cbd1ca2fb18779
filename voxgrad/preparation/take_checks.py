"""Whether a recording of a prompt can be used, told at once, so that it can be said again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from voxgrad.acoustic_model import AcousticModel
from voxgrad.audio.clean import CleanedClip, cut_clip, open_recording
from voxgrad.audio.mel import log_mel
from voxgrad.errors import BadInputError
from voxgrad.preparation.alignment import score_transcript
from voxgrad.settings import PrepareSpec, TextSpec
from voxgrad.text.lexicon import NONE
from voxgrad.text.symbols import PHONES
from voxgrad.text.tokens import encode_transcript

_LEAST_FIT = 0.2
"""Of a text: its margin over its words backwards, as a share of its likelihood. docs/serve.md has figures."""
ALL_PHONES = frozenset(phone.rstrip("012") for phone in PHONES)
"""The phones of English, without stress."""


def phones_of(text: str) -> list[str]:
    """The phones that a text is read with, without stress.

    >>> phones_of("Hello.")
    ['HH', 'AH', 'L', 'OW']

    Raises:
        BadInputError: it cannot be read.
    """
    labels = (label.rstrip("012") for label in encode_transcript(text, TextSpec(add_blank=False)).phones)
    return [label for label in labels if label in ALL_PHONES]


@dataclass(frozen=True, slots=True)
class TakeProblem:
    """What is wrong with a take: a word for programs, and a sentence that says how to mend it."""

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
        fit: how well text and recording fit, about 0 to 1; None where that was not asked.
    """

    problems: tuple[TakeProblem, ...]
    seconds: float = 0.0
    snr_db: float = 0.0
    clipped: float = 0.0
    gain_db: float = 0.0
    phones_per_second: float = 0.0
    fit: float | None = None


def check_take(path: Path, text: str, base: AcousticModel | None, preset: PrepareSpec) -> TakeReport:
    """Check one recording of one prompt.

    Args:
        path: of the recording.
        text: of the prompt.
        base: what aligns text and recording; None: nothing does.
        preset: how `prepare` will clean it, and what it will warn of.

    Raises:
        BadInputError: the text cannot be read.
    """
    spoken = len(phones_of(text))
    try:
        opened = open_recording(path, preset.audio)
        clip = cut_clip(opened, (0.0, opened.waveform.seconds), preset.audio, path.name)
    except BadInputError as error:
        code = "silent" if "silent" in error.message else "unreadable"
        message = "Nothing was heard: check the microphone." if code == "silent" else f"{error.message}."
        return TakeReport((TakeProblem(code, message.replace(str(path), "The recording")),))
    fitted = None
    if base is not None and clip.waveform.seconds <= preset.audio.max_seconds:
        mel = log_mel(torch.from_numpy(clip.waveform.samples), preset.audio.mel)
        found = score_transcript(base, text, mel, NONE)
        fitted = 0.0 if found is None else round(found.margin / max(abs(found.likelihood), 1e-6), 3)
    rate = spoken / clip.waveform.seconds
    return TakeReport(
        tuple(_problems(clip, rate, fitted, preset)),
        round(clip.waveform.seconds, 2),
        clip.measures.snr_db,
        clip.source.clipped,
        round(clip.gain, 1),
        round(rate, 1),
        fitted,
    )


def _problems(clip: CleanedClip, rate: float, fitted: float | None, preset: PrepareSpec) -> Iterator[TakeProblem]:
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
    elif fitted is not None and fitted < _LEAST_FIT:
        yield TakeProblem("text", "It does not sound like its text: read exactly what is shown.")
