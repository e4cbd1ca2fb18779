"""Metrics by other models, where the extra ``eval`` is installed: word errors, speaker similarity, DNSMOS."""

import math
import re
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgrad.audio.io import Waveform, resample
from voxgrad.preparation.speech_recognition import Recogniser, hear, sphinx_samples
from voxgrad.settings import TextSpec
from voxgrad.text.tokens import encode

INSTALL = "pip install 'voxgrad[eval]'"
PACKAGES = {"word error": "pocketsphinx", "speaker similarity": "resemblyzer", "DNSMOS": "speechmos"}
"""What each measure needs."""
_RATE = 16000


def missing() -> dict[str, str]:
    """The measures that cannot be taken here, and the package that each lacks."""
    return {measure: package for measure, package in PACKAGES.items() if find_spec(package) is None}


class PerceptualMetrics:
    """Models that are installed, each loaded once; a metric without its model is None."""

    def __init__(self) -> None:
        lacking = missing()
        self.recognises = "word error" not in lacking
        self._aligner = ForcedAligner() if self.recognises else None
        self._encoder: Any = None
        if "speaker similarity" not in lacking:
            self._encoder = import_module("resemblyzer").VoiceEncoder("cpu", verbose=False)
        self._judge: Any = None if "DNSMOS" in lacking else import_module("speechmos.dnsmos")

    def words_misheard(self, waveform: Waveform, normalised: str) -> int | None:
        """How many words pocketsphinx takes for others, leaves out or adds (Levenshtein's distance)."""
        if not self.recognises:
            return None
        return edits(words(normalised), words(hear(Recogniser("pocketsphinx"), waveform).text))

    def words_wrong(self, waveform: Waveform, text: str) -> int | None:
        """See `voxgrad.evaluation.perceptual_metrics.ForcedAligner`."""
        return None if self._aligner is None else self._aligner.words_wrong(waveform, text)

    def word_times(self, waveform: Waveform, text: str) -> NDArray[np.float64] | None:
        """See `voxgrad.evaluation.perceptual_metrics.ForcedAligner`."""
        return None if self._aligner is None else self._aligner.word_times(waveform, text)

    def voice(self, waveform: Waveform) -> NDArray[np.float32] | None:
        """The speaker's embedding (Wan et al., 2018), of length one: (256,)."""
        if self._encoder is None:
            return None
        prepared = import_module("resemblyzer").preprocess_wav(waveform.samples, waveform.rate)
        embedding: NDArray[np.float32] = self._encoder.embed_utterance(prepared)
        return embedding

    def quality(self, waveform: Waveform) -> float | None:
        """DNSMOS P.835's overall opinion, 1 to 5 (Reddy et al., 2022)."""
        if self._judge is None:
            return None
        samples = np.clip(resample(waveform, _RATE).samples, -1, 1)
        return float(self._judge.run(samples, _RATE)["ovrl_mos"])


def words(text: str) -> list[str]:
    """The words of a text, without marks.

    >>> words("It's warm, isn't it?")
    ["it's", 'warm', "isn't", 'it']
    """
    return re.findall(r"[a-z']+", text.lower())


def edits(reference: Sequence[str], found: Sequence[str]) -> int:
    """Levenshtein's distance of two lists of words.

    >>> edits(["the", "sun", "is", "warm"], ["a", "sun", "warm"])
    2
    """
    row = list(range(len(found) + 1))
    for number, word in enumerate(reference, 1):
        before, row[0] = row[:], number
        for place, other in enumerate(found, 1):
            row[place] = min(before[place] + 1, row[place - 1] + 1, before[place - 1] + (word != other))
    return row[-1]


def similarity(embedding: NDArray[np.float32], recordings: Sequence[NDArray[np.float32]]) -> float:
    """Cosine of an embedding and the mean of others."""
    mean = np.mean(recordings, axis=0)
    return float(embedding @ mean / np.linalg.norm(embedding) / np.linalg.norm(mean))


BOUND = 6.5
"""Nats a frame. Of 603 words of natural recordings 3 % lie beyond it, of 54 words put in others' places 94 %."""
_SPHINX_FRAMES = 100  # a second
_UNIT = 1e-300
_BEAM, _WORD_BEAM = 1e-80, 1e-60
_PLAIN = TextSpec(add_blank=False)


class ForcedAligner:
    """Pocketsphinx as a forced aligner.

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
        """How many words of a text are not found in the audio."""
        expected, spoken = self._aligned(waveform, text)
        right = sum(_score(one) >= -BOUND for one in spoken)
        return len(expected) - right

    def word_times(self, waveform: Waveform, text: str) -> NDArray[np.float64] | None:
        """Seconds at which every word begins and ends, (words, 2); None where the alignment did not reach all."""
        expected, spoken = self._aligned(waveform, text)
        if len(spoken) != len(expected):
            return None
        frames = [(int(one.start_frame), int(one.end_frame) + 1) for one in spoken]
        return np.array(frames, np.float64) / _SPHINX_FRAMES

    def _aligned(self, waveform: Waveform, text: str) -> tuple[list[str], list[Any]]:
        """The words of a text, and the segments of those that were found in the audio."""
        expected = self._known_words(text)
        self._decoder.set_align_text(" ".join(expected))
        self._decoder.start_utt()
        self._decoder.process_raw(sphinx_samples(waveform), full_utt=True)
        self._decoder.end_utt()
        found = [] if self._decoder.hyp() is None else list(self._decoder.seg())
        return expected, [one for one in found if not one.word.startswith(("<", "["))]

    def _known_words(self, text: str) -> list[str]:
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
