"""Speaks a script passage by passage, with the silences between passages, their times, and the audio file."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from voxgrad.audio.io import Samples
from voxgrad.audio.writers import AudioWriter, open_writer
from voxgrad.errors import BadInputError
from voxgrad.events import Advanced, Began, Emit, Ended, Said, few
from voxgrad.settings import DeliverySpec
from voxgrad.text.characters import unread
from voxgrad.text.lexicon import refuse_unknown
from voxgrad.text.marked_text import Break, Pause, Segment, Sound, plain_segments
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.passages import FrontEnd, Passage, segment_passages
from voxgrad.text.ssml import is_ssml, read_script
from voxgrad.text.symbols import NO_TEXT
from voxgrad.text.tokens import require_unicode
from voxgrad.text.unread_remarks import NO_MARKS, unread_remarks
from voxgrad.voice.engine import PassageAudio, Pauses
from voxgrad.voice.metadata import MARK, Recipe, recipe_of
from voxgrad.voice.timings import TimedPassage, TimingsFile, timed, timings_file

if TYPE_CHECKING:
    from voxgrad.voice.voice import SpeechJob

SILENCES: Final = {
    Break.PARAGRAPH: 2.0,
    Break.SENTENCE: 1.0,
    Break.CLAUSE: 1 / 2,
    Break.COMMA: 1 / 3,
    Break.WORD: 0.0,
}
"""Of a silence between sentences."""
NO_MEL: Final[Samples] = np.zeros((0, 0), np.float32)

SpeakItem = Callable[[Passage | Sound, int, Pauses], PassageAudio]
"""Speaks a passage or plays a sound, told its seed and the pauses within."""


@dataclass(frozen=True, eq=False)
class SpokenPassage:
    """A passage, spoken; or a sound, or the silence at the end, which have no words."""

    passage: Passage
    """What was said."""
    samples: Samples
    """(n,) float32, with silence before and after it."""
    mel: Samples
    """(n_mels, frames) float32, as the model gave it."""
    durations: tuple[int, ...]
    """Frames of every token; empty without words."""
    timing: TimedPassage
    """When its words are said, in the whole."""
    tail: int = 0
    """Samples of silence after the last sound."""


@dataclass(frozen=True)
class Resumption:
    """What of a script was spoken before: so many pieces, so many samples, and of these so many silent at the end."""

    pieces: int = 0
    samples: int = 0
    tail: int = 0


NOTHING_YET: Final = Resumption()


def speak(
    items: Iterable[Segment | Sound],
    front_end: FrontEnd,
    speak_item: SpeakItem,
    rate: int,
    delivery: DeliverySpec,
    seed: int,
    after: Resumption,
) -> Iterator[SpokenPassage]:
    """Speak a script, which may still be coming, piece by piece, in memory that does not grow with it.

    What was spoken before, ``after`` which it begins, is left out. A passage's noise depends on the seed and on its
    number, not on what was said before.

    Raises:
        BadInputError: something cannot be read or played, or there is nothing to say.
    """
    edge = 0 if delivery.edge_silence is None else round(delivery.edge_silence * rate)
    position = 0  # samples given so far
    owed = edge  # samples of silence that come before the next sound
    given = 0  # samples of silence that were given after the last one
    missing = 0  # samples of silence that the end of the speech still lacks, if nothing follows
    paused = 0  # samples of the pause that was asked for after the last sound; 0 if it was none
    number = pieces = 0
    scripts: dict[str, None] = {}
    for item in segment_passages(_noting_scripts(items, scripts), front_end):
        lead, tail, explicit = _silences(item, delivery)
        if lead is not None:
            silence = round(lead * rate) + paused
            owed = max(silence - given, 0) if pieces else max(edge, silence)
        if isinstance(item, Passage) and not item.encoded.words:  # only silence, at the end
            missing = owed
            continue
        gap, given = round(tail * rate), after.tail
        if pieces >= after.pieces:
            position = max(position, after.samples)
            audio = speak_item(item, piece_seed(seed, number), _inner_pauses(item, delivery))
            before, silent = max(owed - round(audio.lead * rate), 0), round(audio.tail * rate)
            given = max(min(edge, gap), silent)
            samples: Samples = np.pad(audio.samples, (before, given - silent))
            shown = item if isinstance(item, Passage) else _shown(item)
            timing = timed(shown, audio.borders, (position + before) / rate)
            yield SpokenPassage(shown, samples, audio.mel, audio.durations, timing, given)
            position += len(samples)
        number, pieces = number + isinstance(item, Passage), pieces + 1
        owed, paused = max(gap - given, 0), gap if explicit else 0
        missing = max((max(gap, edge) if explicit else edge) - given, 0)
    if not pieces:
        raise NothingToSayError(scripts)
    if missing > 0 and after.pieces <= pieces:
        yield silence_at_end(missing, max(position, after.samples) + missing, rate)


def silence_at_end(length: int, end: int, rate: int) -> SpokenPassage:
    """So many samples of silence, up to the last of all."""
    seconds = round(end / rate, 4)
    passage = Passage("", NO_TEXT, Break.PARAGRAPH)
    return SpokenPassage(passage, np.zeros(length, np.float32), NO_MEL, (), TimedPassage("", seconds, seconds, ()))


def _shown(sound: Sound) -> Passage:
    return Passage(f"[{sound.file}]" if sound.file else "[tone]", NO_TEXT, Break.COMMA)


def _noting_scripts(items: Iterable[Segment | Sound], scripts: dict[str, None]) -> Iterator[Segment | Sound]:
    """Hand items on; the scripts of what is left out of them are kept."""
    for item in items:
        if isinstance(item, Segment):
            scripts.update((character.script, None) for character in unread(item.content.text))
        yield item


def _pauses(item: Passage | Sound, delivery: DeliverySpec) -> Pauses:
    if isinstance(item, Sound):
        return ()
    return [
        (at, event.seconds + event.sentences * delivery.sentence_silence)
        for at, event in item.events
        if isinstance(event, Pause)
    ]


def _inner_pauses(item: Passage | Sound, delivery: DeliverySpec) -> Pauses:
    """Those between two words."""
    words = 0 if isinstance(item, Sound) else len(item.encoded.words)
    return [pause for pause in _pauses(item, delivery) if 0 < pause[0] < words]


def _silences(item: Passage | Sound, delivery: DeliverySpec) -> tuple[float | None, float, bool]:
    """Seconds that are asked for before an item, seconds after it, and whether those were asked for by a pause."""
    if isinstance(item, Sound):
        return None, SILENCES[Break.COMMA] * delivery.sentence_silence, False
    last = len(item.encoded.words)
    pauses = _pauses(item, delivery)
    before = [seconds for at, seconds in pauses if at == 0]
    after = [seconds for at, seconds in pauses if at == last > 0]
    natural = SILENCES[item.ends] * delivery.sentence_silence
    return sum(before) if before else None, sum(after) if after else natural, bool(after)


def piece_seed(seed: int, number: int) -> int:
    """Of a passage's noise, which does not depend on what was said before."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0]) if number else seed


def readable(text: str) -> Iterable[Segment | Sound]:
    """The parts of a text. What of them cannot be read is left out when they are spoken.

    Raises:
        BadInputError: not Unicode, or SSML that is broken.
    """
    require_unicode(text)
    return read_script(text).items if is_ssml(text) else plain_segments(text)


@dataclass(frozen=True)
class AudioTarget:
    """An audio file to write."""

    path: Path
    """Its name ends in the format."""
    timings: TimingsFile | None = None
    """Written too; None: they are not."""
    metadata: bool = True
    """False leaves only the mark that it is synthetic, and makes the file anew."""

    @classmethod
    def at(cls, path: Path, timings: Path | None, *, metadata: bool) -> "AudioTarget":
        """An audio file, and the timings that are asked for, beside it or by their name."""
        return cls(path, None if timings is None else timings_file(timings, path), metadata)

    def was_made_by(self, recipe: Recipe) -> bool:
        """Whether all of it is there, and says of itself that it was made just so."""
        return self.metadata and (self.timings is None or self.timings.path.exists()) and recipe_of(self.path) == recipe

    def write(self, pieces: Iterable[SpokenPassage], recipe: Recipe, rate: int) -> float:
        """Write what is spoken, at ``rate`` Hz; it appears complete. Returns its seconds.

        Raises:
            BadInputError: it cannot be said.
            EnvironmentFailureError: the disk is full or cannot be written.
        """
        timings: list[TimedPassage] = []
        remark = recipe.remark if self.metadata else MARK
        with open_writer(self.path, rate, remark, DeliverySpec(**recipe.delivery)) as sink:
            seconds = write_pieces(pieces, sink, timings.append) / rate
        if self.timings is not None:
            self.timings.write(timings, seconds)
        return seconds


def write_pieces(pieces: Iterable[SpokenPassage], sink: AudioWriter, note: Callable[[TimedPassage], object]) -> int:
    """Write pieces as they arrive; ``note`` gets the timing of each. Returns the number of samples."""
    samples = 0
    for piece in pieces:
        sink.write(piece.samples)
        note(piece.timing)
        samples += len(piece.samples)
    return samples


def with_progress(
    pieces: Iterable[SpokenPassage], task: str, total: int | None, emit: Emit, done: int = 0
) -> Iterator[SpokenPassage]:
    """Pass pieces on, and report each once it was taken; ``done`` were spoken before."""
    emit(Began(task, total, "passages", done))
    for piece in pieces:
        yield piece
        done += bool(piece.durations)
        emit(Advanced(task, done))
    emit(Ended(task))


def warn_unread(
    job: "SpeechJob",
    emit: Emit,
    *,
    strict: bool = False,
    line: int | None = None,
    marks: Mapping[str, str] = NO_MARKS,
) -> None:
    """Warn of what nothing is said for in a text, and of what SSML asks in vain; see `unread_remarks`.

    Raises:
        BadInputError: SSML that cannot be read; or something is left out, and ``strict`` forbids it.
    """
    if is_ssml(job.text):
        script = read_script(job.text)
        for warning in (*script.warnings, *job.cast.not_spoken(script)):
            emit(Said(warning, "warning"))
    for remark in unread_remarks(job.text, line, marks):
        if strict:
            raise BadInputError(remark, "Leave it out, or write it in Latin letters.")
        emit(Said(remark, "warning"))


def warn_unknown(words: Sequence[str], emit: Emit, *, strict: bool) -> None:
    """Warn of words that are guessed.

    Raises:
        BadInputError: there are some, and ``strict`` forbids them.
    """
    if strict:
        refuse_unknown(words)
    if words:
        emit(Said(f"not in the dictionary, pronunciation guessed: {few(words)}", "warning"))
