"""A script, spoken passage by passage: who speaks, and how long the silences between are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from voxgrad.audio.io import Samples, Waveform, resample
from voxgrad.settings import DeliverySpec, SynthesisSpec, TextSpec
from voxgrad.speech.cast import Cast
from voxgrad.speech.results import SpokenPassage
from voxgrad.speech.word_timings import TimedPassage, timed
from voxgrad.text.characters import unread
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.marked_text import Break, Pause, Segment, Sound, plain_segments
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.passages import Passage, segment_passages
from voxgrad.text.ssml import is_ssml, read_script
from voxgrad.text.tokens import Encoded, require_unicode

SILENCES: Final = {
    Break.PARAGRAPH: 2.0,
    Break.SENTENCE: 1.0,
    Break.CLAUSE: 1 / 2,
    Break.COMMA: 1 / 3,
    Break.WORD: 0.0,
}
"""Of a silence between sentences."""
_NOTHING: Final = Encoded((), "", (), (), ())


def cut(items: Iterable[Segment | Sound], cast: Cast) -> Iterator[Passage | Sound]:
    """The passages and sounds of a script, each read as its voice reads.

    Raises:
        BadInputError: as `segment_passages`, or nobody answers to the name of a voice.
    """

    def front_end(name: str | None) -> tuple[TextSpec, Lexicon]:
        synthesizer = cast.member(name).synthesizer
        return synthesizer.spec.text, synthesizer.lexicon

    return segment_passages(items, front_end)


@dataclass
class _Clock:
    """Where the speech has got to.

    Attributes:
        samples: given so far.
        given: of these, silence after the last sound.
        owed: samples of silence that come before the next sound.
        last: samples of silence that the end of the speech still lacks, if nothing follows.
        asked: the silence after the last sound was asked for by a pause, in samples; else 0.
        begun: there was a sound.
    """

    samples: int = 0
    given: int = 0
    owed: int = 0
    last: int = 0
    asked: int = 0
    begun: bool = False


@dataclass(frozen=True)
class Resumption:
    """What of a script was spoken before: so many pieces, so many samples, and of these so many silent at the end."""

    pieces: int = 0
    samples: int = 0
    tail: int = 0


def speak(
    items: Iterable[Segment | Sound],
    cast: Cast,
    synthesis: SynthesisSpec,
    delivery: DeliverySpec,
    seed: int,
    after: Resumption = Resumption(),
) -> Iterator[SpokenPassage]:
    """Speak a script piece by piece, in memory that does not grow with it.

    Args:
        items: they may still be coming.
        cast: who speaks.
        synthesis: steps, temperature, speed.
        delivery: pitch, volume, silences.
        seed: of all noise; a passage's depends on its number too, not on what was said before.
        after: pieces that are left out, because they were spoken before.

    Raises:
        BadInputError: something cannot be read or played, or there is nothing to say.
    """
    rate = cast.narrator.rate
    edge = 0 if delivery.edge_silence is None else round(delivery.edge_silence * rate)
    clock, number, pieces = _Clock(owed=edge), 0, 0
    scripts: dict[str, None] = {}
    for item in cut(_noting_scripts(items, scripts), cast):
        lead, tail, explicit = _silences(item, delivery)
        if lead is not None:
            silence = round(lead * rate) + clock.asked
            clock.owed = max(silence - clock.given, 0) if clock.begun else max(edge, silence)
        if isinstance(item, Passage) and not item.encoded.words:  # only silence, at the end
            clock.last = clock.owed
            continue
        gap, given = round(tail * rate), after.tail
        if pieces >= after.pieces:
            clock.samples = max(clock.samples, after.samples)
            piece = _piece(item, cast, synthesis, delivery, piece_seed(seed, number), clock)
            given = max(min(edge, gap), piece.spoken.tail)
            before, more = max(clock.owed - piece.lead, 0), given - piece.spoken.tail
            samples: Samples = np.pad(piece.spoken.samples, (before, more))
            yield replace(piece.spoken, samples=samples, tail=given)
            clock.samples += len(samples)
        number, pieces = number + isinstance(item, Passage), pieces + 1
        clock.begun, clock.given, clock.owed, clock.asked = (
            True,
            given,
            max(gap - given, 0),
            gap if explicit else 0,
        )
        clock.last = max((max(gap, edge) if explicit else edge) - given, 0)
    if not clock.begun:
        raise NothingToSayError(scripts)
    if clock.last > 0 and after.pieces <= pieces:
        clock.samples = max(clock.samples, after.samples)
        yield _silence(clock, rate)


def _noting_scripts(items: Iterable[Segment | Sound], scripts: dict[str, None]) -> Iterator[Segment | Sound]:
    """Hand items on; the scripts of what is left out of them are kept."""
    for item in items:
        if isinstance(item, Segment):
            scripts.update((one.script, None) for one in unread(item.content.text))
        yield item


def _silences(item: Passage | Sound, delivery: DeliverySpec) -> tuple[float | None, float, bool]:
    """Seconds that are asked for before an item, seconds after it, and whether those were asked for by a pause."""
    if isinstance(item, Sound):
        return None, SILENCES[Break.COMMA] * delivery.sentence_silence, False
    last = len(item.encoded.words)
    pauses = [(at, _seconds(event, delivery)) for at, event in item.events if isinstance(event, Pause)]
    before = [seconds for at, seconds in pauses if at == 0]
    after = [seconds for at, seconds in pauses if at == last > 0]
    natural = SILENCES[item.ends] * delivery.sentence_silence
    return sum(before) if before else None, sum(after) if after else natural, bool(after)


def _seconds(pause: Pause, delivery: DeliverySpec) -> float:
    return pause.seconds + pause.sentences * delivery.sentence_silence


@dataclass(frozen=True)
class _Piece:
    """A piece without the silence around it, but for ``lead`` samples of it that it begins with."""

    spoken: SpokenPassage
    lead: int = 0


def _piece(
    item: Passage | Sound,
    cast: Cast,
    synthesis: SynthesisSpec,
    delivery: DeliverySpec,
    seed: int,
    clock: _Clock,
) -> _Piece:
    """An item, its times counted from the beginning of the speech."""
    rate = cast.narrator.rate
    if isinstance(item, Sound):
        start, samples = clock.samples + clock.owed, cast.play(item, rate)
        shown = Passage(f"[{item.file}]" if item.file else "[tone]", _NOTHING, Break.COMMA)
        timing = TimedPassage(
            shown.written, round(start / rate, 4), round((start + len(samples)) / rate, 4), ()
        )
        return _Piece(SpokenPassage(shown, samples, np.zeros((0, 0), np.float32), (), timing))
    member = cast.member(item.voice)
    asked = synthesis if member.speaker is None else synthesis.model_copy(update={"speaker": member.speaker})
    inner = [
        (at, _seconds(event, delivery))
        for at, event in item.events
        if isinstance(event, Pause) and 0 < at < len(item.encoded.words)
    ]
    spoken = member.synthesizer.speak(item, asked, delivery, seed, inner)
    samples = spoken.samples
    if member.synthesizer.rate != rate:
        samples = resample(Waveform(samples, member.synthesizer.rate), rate).samples
    lead, tail = round(spoken.lead * rate), round(spoken.tail * rate)
    start = clock.samples + max(clock.owed - lead, 0)
    timing = timed(item, spoken.borders, start / rate)
    return _Piece(SpokenPassage(item, samples, spoken.mel, spoken.durations, timing, tail), lead)


def _silence(clock: _Clock, rate: int) -> SpokenPassage:
    end = round((clock.samples + clock.last) / rate, 4)
    timing = TimedPassage("", end, end, ())
    samples: Samples = np.zeros(clock.last, np.float32)
    return SpokenPassage(
        Passage("", _NOTHING, Break.PARAGRAPH), samples, np.zeros((0, 0), np.float32), (), timing
    )


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
