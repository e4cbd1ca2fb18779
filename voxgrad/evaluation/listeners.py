"""What listens where the extra ``eval`` is installed: a recogniser, a speaker encoder, a judge of quality."""

import re
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgrad.audio.io import Waveform, resample
from voxgrad.evaluation.fit import Aligner
from voxgrad.preparation.recognise import hear

INSTALL = "pip install 'voxgrad[eval]'"
PACKAGES = {"word error": "pocketsphinx", "speaker similarity": "resemblyzer", "DNSMOS": "speechmos"}
"""What each measure needs."""
_RATE = 16000


def missing() -> dict[str, str]:
    """The measures that cannot be taken here, and the package that each lacks."""
    return {measure: package for measure, package in PACKAGES.items() if find_spec(package) is None}


class Listeners:
    """The listeners that are installed, each loaded once; a measure without its listener is None."""

    def __init__(self) -> None:
        lacking = missing()
        self.recognises = "word error" not in lacking
        self._aligner = Aligner() if self.recognises else None
        self._encoder: Any = None
        if "speaker similarity" not in lacking:
            self._encoder = import_module("resemblyzer").VoiceEncoder("cpu", verbose=False)
        self._judge: Any = None if "DNSMOS" in lacking else import_module("speechmos.dnsmos")

    def words_misheard(self, waveform: Waveform, normalised: str) -> int | None:
        """How many words pocketsphinx takes for others, leaves out or adds (Levenshtein's distance)."""
        if not self.recognises:
            return None
        return edits(words(normalised), words(hear("pocketsphinx", waveform)))

    def words_wrong(self, waveform: Waveform, text: str) -> int | None:
        """See `voxgrad.evaluation.fit.Aligner`."""
        return None if self._aligner is None else self._aligner.words_wrong(waveform, text)

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
