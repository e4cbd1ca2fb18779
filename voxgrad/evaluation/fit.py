"""Words that do not sound as they are written, found by forced alignment."""

import math
import re
from importlib import import_module
from typing import Any

from voxgrad.audio.io import Waveform
from voxgrad.preparation.recognise import sphinx_samples
from voxgrad.settings import TextSpec
from voxgrad.text.tokens import encode

BOUND = 6.5
"""Nats a frame. Of 603 words of natural recordings 3 % lie beyond it, of 54 words put in others' places 94 %."""
_UNIT = 1e-300
_BEAM, _WORD_BEAM = 1e-80, 1e-60
_PLAIN = TextSpec(add_blank=False)


class Aligner:
    """Pocketsphinx, made to hear the words that it is told.

    A frame's score is the log-density of the senone that the alignment gives it, less that of the best of all (after
    goodness of pronunciation, Witt & Young, 2000); a word's is the mean over its frames. A word is wrong where that
    lies below −6.5 nats, or where the alignment never reached it.
    """

    def __init__(self) -> None:
        module: Any = import_module("pocketsphinx")
        beams = {"beam": _BEAM, "pbeam": _BEAM, "wbeam": _WORD_BEAM}
        # All senones are computed in every frame: else "the best" would be the best of those that the text allows.
        self._decoder: Any = module.Decoder(
            samprate=16000, loglevel="FATAL", lm=None, compallsen=True, **beams
        )

    def words_wrong(self, waveform: Waveform, text: str) -> int:
        """How many words of a text are not heard where they should be."""
        expected = self._told(text)
        self._decoder.set_align_text(" ".join(expected))
        self._decoder.start_utt()
        self._decoder.process_raw(sphinx_samples(waveform), full_utt=True)
        self._decoder.end_utt()
        found = [] if self._decoder.hyp() is None else list(self._decoder.seg())
        spoken = [one for one in found if not one.word.startswith(("<", "["))]
        right = sum(_score(one) >= -BOUND for one in spoken)
        return len(expected) - right

    def _told(self, text: str) -> list[str]:
        """The words as pocketsphinx knows them; those that it does not know, it is taught."""
        names = []
        for word in encode(text, _PLAIN).words:
            name = re.sub(r"[^a-z']", "", word.word.lower())
            phones = [re.sub(r"\d", "", phone) for phone in word.phones if phone[0].isalpha()]
            if name and phones:
                names.append(name)
                if self._decoder.lookup_word(name) is None:
                    self._decoder.add_word(name, " ".join(phones), True)  # noqa: FBT003 (pocketsphinx's own)
        return names


def _score(segment: Any) -> float:
    """Nats a frame; a density that is too small for a number counts as the smallest."""
    frames = int(segment.end_frame) - int(segment.start_frame) + 1
    return math.log(max(float(segment.ascore), _UNIT)) / frames
