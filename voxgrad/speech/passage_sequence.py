"""A text as a sequence of passages: cut before they are spoken, and joined with silences afterwards."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from voxgrad.audio.io import Samples
from voxgrad.settings import DeliverySpec, MelSpec, TextSpec
from voxgrad.speech.results import SpokenPassage
from voxgrad.speech.word_timings import timed
from voxgrad.text.characters import to_ascii
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.passages import Break, Passage, passages
from voxgrad.text.tokens import require_unicode

_SILENCE: Final = {
    Break.PARAGRAPH: 2.0,
    Break.SENTENCE: 1.0,
    Break.CLAUSE: 1 / 2,
    Break.COMMA: 1 / 3,
    Break.WORD: 0.0,
}
"""Of a silence between sentences."""


@dataclass(frozen=True, eq=False)
class UtteranceAudio:
    """A passage's audio, before it is joined to others.

    Attributes:
        samples: (n,) float32.
        mel: (n_mels, frames) float32.
        durations: frames of every token.
    """

    samples: Samples
    mel: Samples
    durations: tuple[int, ...]


class PassageJoiner:
    """Puts the passages of one text behind each other, with the silences between them.

    Args:
        mel: of the voice.
        delivery: how long a silence is.
    """

    def __init__(self, mel: MelSpec, delivery: DeliverySpec) -> None:
        self._mel, self._silence = mel, delivery.sentence_silence
        self._samples = 0
        self._ended: Break | None = None

    def append(self, passage: Passage, audio: UtteranceAudio) -> SpokenPassage:
        """The next passage, with the silence before it and the times of its words in the whole text."""
        rate = self._mel.sample_rate
        silence = 0 if self._ended is None else round(_SILENCE[self._ended] * self._silence * rate)
        start = (self._samples + silence) / rate
        timing = timed(passage, audio.durations, start, self._mel.seconds_per_frame)
        self._samples += silence + len(audio.samples)
        self._ended = passage.ends
        padded = np.pad(audio.samples, (silence, 0))
        return SpokenPassage(passage, padded, audio.mel, audio.durations, timing)


def passages_of(
    texts: Iterable[str], spec: TextSpec, lexicon: Lexicon, *, may_be_empty: bool = False
) -> Iterator[Passage]:
    """Cut texts into passages, as they are asked for.

    Args:
        texts: a paragraph each; they may still be coming.
        spec: how the voice reads.
        lexicon: pronunciations.
        may_be_empty: texts without a word are no error.

    Raises:
        BadInputError: a text cannot be read, or none of them holds anything to say.
    """
    empty = True
    for passage in passages(map(_readable, texts), spec, lexicon):
        empty = False
        yield passage
    if empty and not may_be_empty:
        raise NothingToSayError("the text has no words to speak", "Give at least one word in English.")


def _readable(text: str) -> str:
    """A text, of which every character was looked at before the first of them is spoken.

    Raises:
        BadInputError: not Unicode, or letters of another script.
    """
    require_unicode(text)
    to_ascii(" ".join(dict.fromkeys(text)))
    return text
