"""Metrics of a synthesised sentence: distances from a recording, and judgements of other models.

Spectrum, pitch, voicing and durations need no model. With the extra ``eval``, a recogniser finds word errors,
Resemblyzer compares speakers, and DistillMOS and DNSMOS rate quality.
"""

import io
import math
import re
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from difflib import SequenceMatcher
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numba
import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray

from voxgrad.audio.io import Samples, Waveform, resample
from voxgrad.audio.mel import log_mel
from voxgrad.audio.praat import f0_of_frames
from voxgrad.evaluation.verdicts import CLEARNESS, LIKENESS, UNDERSTOOD
from voxgrad.preparation.speech_recognition import Recogniser, hear, sphinx_samples
from voxgrad.settings import MelSpec, TextSpec
from voxgrad.text.normalize import NothingToSayError, normalize
from voxgrad.text.symbols import ENGLISH
from voxgrad.text.tokens import encode
from voxgrad.training.alignment import labels

COEFFICIENTS = 13
_AUDIBLE = 5.0
"""Nepers below the loudest frame: quieter ones say nothing of a voice."""
_DECIBELS = 20 / math.log(10)


@dataclass(frozen=True)
class Distances:
    """Distances of synthesised audio from a recording."""

    mel_cepstral_distortion: float
    """DB."""
    f0_error: float | None
    """Cents, root mean square over the frames that are voiced in both; None where there are none."""
    f0_shift: float | None
    """Semitones from the recording's median to the audio's; None where one has no voiced frame."""
    voicing_error: float
    """Share of the frames that are voiced in one only."""
    length: float
    """Seconds of the audio for a second of the recording."""
    spectral_detail: float | None
    """Of the audio over that of the recording; see :func:`spectral_detail`. None for a recording that has none."""


def distances(audio: Samples, recording: Samples, spec: MelSpec) -> Distances:
    """Compare audio with a recording of the same words, frame by frame along the warping of their cepstra.

    Both are samples at the mel's rate.

    Raises:
        BadInputError: one of them is shorter than a frame.
    """
    said, meant = (mel_cepstrum(samples, spec) for samples in (audio, recording))
    pairs = warp(said, meant)
    here, there = (
        f0_of_frames(Waveform(samples, spec.sample_rate), len(cepstra), spec.seconds_per_frame)
        for samples, cepstra in ((audio, said), (recording, meant))
    )
    along, beside = here[pairs[:, 0]], there[pairs[:, 1]]
    both = (along > 0) & (beside > 0)
    cents = 1200 * np.log2(along[both] / beside[both])
    voiced = bool((here > 0).any() and (there > 0).any())
    return Distances(
        distortion(said[pairs[:, 0]], meant[pairs[:, 1]]),
        float(np.sqrt(np.square(cents).mean())) if both.any() else None,
        12 * math.log2(float(np.median(here[here > 0]) / np.median(there[there > 0]))) if voiced else None,
        float(((along > 0) != (beside > 0)).mean()),
        len(audio) / len(recording),
        _ratio(*(spectral_detail(samples, spec) for samples in (audio, recording))),
    )


def spectral_detail(samples: Samples, spec: MelSpec) -> float:
    """The local variance of the log-mel: the square of how far a band lies from the mean of its neighbours, averaged.

    An averaged mel has little, for averages blur harmonics and formants. Frames far below the loudest are left out.
    """
    mel = log_mel(torch.from_numpy(samples), spec).numpy()
    level = mel.mean(0)
    audible = mel[:, level > level.max() - _AUDIBLE]
    return float(np.square(audible[1:-1] - 0.5 * (audible[2:] + audible[:-2])).mean())


def _ratio(first: float, other: float) -> float | None:
    return first / other if other > 0 else None


def mel_cepstrum(samples: Samples, spec: MelSpec) -> NDArray[np.float32]:
    """Compute the coefficients 1 to 13 of the cosine transform of the log-mel (Kubichek, 1993).

    The 0th, which is loudness, is left out. ln|S| = c0 + Σ c_k cos kω over the mel bands, so that a distance of the
    coefficients is one of the smoothed spectra.

    Returns:
        (frames, 13).
    """
    mel = log_mel(torch.from_numpy(samples), spec).numpy()
    angles = (np.arange(spec.n_mels) + 0.5) * np.pi / spec.n_mels
    waves = np.cos(np.arange(1, COEFFICIENTS + 1)[:, None] * angles) * 2 / spec.n_mels
    cepstrum: NDArray[np.float32] = (waves @ mel).T.astype(np.float32)
    return cepstrum


def distortion(first: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mel-cepstral distortion in dB of paired frames (Kubichek, 1993): (10 / ln 10) √(2 Σ Δc²), mean over the pairs.

    >>> two = np.zeros((1, 13), np.float32)
    >>> two[0, 0] = 1.0
    >>> round(distortion(two, np.zeros((1, 13), np.float32)), 3)  # a cosine of one neper
    6.142
    """
    return float(_DECIBELS / 2 * np.sqrt(2 * np.square(first - other).sum(1)).mean())


def phone_seconds(tokens: Sequence[int], durations: Sequence[int], spec: MelSpec) -> NDArray[np.float64]:
    """Seconds of every phone and mark of a text; a blank or a space belongs to what it follows."""
    seconds: list[float] = []
    for label, frames in zip(labels(tokens), durations, strict=True):
        if label:
            seconds.append(0.0)
        if seconds:
            seconds[-1] += frames * spec.seconds_per_frame
    return np.array(seconds)


def warp(first: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.int64]:
    """Find the path of least distance through two sequences (Sakoe & Chiba, 1978, symmetric steps, no window).

    From (frames, features) of both: (pairs, 2) indices of frames, from the first of both to the last; neither goes
    back.
    """
    squares = np.square(first).sum(1)[:, None] + np.square(other).sum(1)[None] - 2 * first @ other.T
    path: NDArray[np.int64] = _accumulated(np.sqrt(np.maximum(squares, 0)).astype(np.float64))
    return path


@numba.njit(cache=True)
def _accumulated(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(rows):
        for j in range(columns):
            total[i + 1, j + 1] = cost[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    path = np.empty((rows + columns - 1, 2), np.int64)
    i, j, place = rows, columns, len(path)
    while i > 0:
        place -= 1
        path[place] = i - 1, j - 1
        diagonal, up, left = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
        if diagonal <= up and diagonal <= left:
            i, j = i - 1, j - 1
        elif up <= left:
            i -= 1
        else:
            j -= 1
    return path[place:]


DNSMOS = "DNSMOS"
_PACKAGES = {LIKENESS: "resemblyzer", CLEARNESS: "distillmos", DNSMOS: "speechmos"}
"""What each measure needs; words need a recogniser."""
SPEECH_RATE = 16000
"""Samples a second of their input."""


def not_installed(recogniser: Recogniser | None) -> list[str]:
    """The measures whose models are not installed."""
    lacking = {measure for measure, package in _PACKAGES.items() if find_spec(package) is None}
    if recogniser is None:
        lacking.add(UNDERSTOOD)
    return [measure for measure in (LIKENESS, UNDERSTOOD, CLEARNESS, DNSMOS) if measure in lacking]


class PerceptualMetrics:
    """Models that are installed, each loaded once; a metric without one that knows the language is None."""

    def __init__(self, recogniser: Recogniser | None = None, language: str = ENGLISH) -> None:
        self.recogniser = recogniser
        self.language = language
        self.lacking = not_installed(recogniser)
        """Measures without a model."""
        english = language == ENGLISH  # all that pocketsphinx knows
        self.aligner = ForcedAligner() if english and find_spec("pocketsphinx") is not None else None
        self._encoder = self._loaded(LIKENESS, lambda: import_module("resemblyzer").VoiceEncoder("cpu", verbose=False))
        self._distillmos = self._loaded(CLEARNESS, lambda: import_module("distillmos").ConvTransformerSQAModel().eval())
        self._dnsmos = self._loaded(DNSMOS, lambda: import_module("speechmos.dnsmos"))

    def _loaded(self, measure: str, load: Callable[[], Any]) -> Any:
        """A model; None where it is not installed, or not all that it imports."""
        if measure in self.lacking:
            return None
        try:
            with redirect_stdout(io.StringIO()):  # some print where their weights are
                return load()
        except ImportError:
            self.lacking.append(measure)
            return None

    def words_misheard(self, waveform: Waveform, normalised: str) -> int | None:
        """How many words the recogniser replaces, deletes or inserts (Levenshtein distance)."""
        if self.recogniser is None:
            return None
        heard = hear(self.recogniser, waveform).text
        return misheard(normalised, heard, self.language)

    def speech(self, waveforms: Sequence[Waveform]) -> list[Samples] | None:
        """Recordings at 16 kHz and of equal loudness, without their silences."""
        if self._encoder is None:
            return None
        prepare = import_module("resemblyzer").preprocess_wav
        return [prepare(waveform.samples, waveform.rate) for waveform in waveforms]

    def embed(self, pieces: Sequence[Samples]) -> NDArray[np.float32]:
        """Embeddings of `speech` (Wan et al., 2018), each of length one: (n, 256)."""
        return np.stack([self._encoder.embed_utterance(piece) for piece in pieces])

    def voice(self, waveform: Waveform) -> NDArray[np.float32] | None:
        """The embedding of one recording: (256,)."""
        speech = self.speech([waveform])
        return None if speech is None else self.embed(speech)[0]

    def quality(self, waveform: Waveform) -> float | None:
        """DNSMOS P.835's overall opinion, 1 to 5 (Reddy et al., 2022)."""
        if self._dnsmos is None:
            return None
        samples = np.clip(resample(waveform, SPEECH_RATE).samples, -1, 1)
        return float(self._dnsmos.run(samples, SPEECH_RATE)["ovrl_mos"])

    @torch.no_grad()
    def clearness(self, waveform: Waveform) -> float | None:
        """DistillMOS (Stahl & Gamper, 2025), 1 to 5.

        Its rating depends on what lies between 7 and 8 kHz, which torchaudio's default filter weakens and a sharp one
        keeps; published figures are made with the default.
        """
        if self._distillmos is None:
            return None
        samples = torchaudio.functional.resample(torch.from_numpy(waveform.samples), waveform.rate, SPEECH_RATE)
        return float(self._distillmos(samples[None]))


def words(text: str, language: str = ENGLISH) -> list[str]:
    """The words of a text, without marks.

    >>> words("It's warm, isn't it?"), words("Él pagó 12,50 euros.", "es")
    (["it's", 'warm', "isn't", 'it'], ['él', 'pagó', '12,50', 'euros'])
    """
    return re.findall(r"[a-z']+" if language == ENGLISH else r"[^\W_]+(?:['.,:][^\W_]+)*", text.lower())


def misheard(normalised: str, heard: str, language: str) -> int:
    """How many words of a text a recogniser replaced, deleted or inserted; it may write numbers in digits.

    >>> misheard("a cat of twenty", "A hat of 20.", "en"), misheard("un gato de veinte", "Un pato de 20.", "es")
    (1, 1)
    """
    if language == ENGLISH:
        return edits(words(normalised), words(normalize(heard)))
    said, found = words(normalised, language), words(_read(heard, language)[0], language)
    blocks = SequenceMatcher(None, said, found, autojunk=False).get_opcodes()
    differing = [(said[a:b], found[c:d]) for kind, a, b, c, d in blocks if kind != "equal"]
    # Numbers are the same if they sound alike.
    return sum(edits(*pair) for pair in differing if len({_read(" ".join(side), language)[1] for side in pair}) == 2)


def _read(text: str, language: str) -> tuple[str, str]:
    """A text as it is normalised, and as it sounds, in phones without stress."""
    try:
        read = encode(text, TextSpec(language=language, add_blank=False))
    except NothingToSayError:
        return "", ""
    return read.normalised, re.sub("[ ˈˌ]", "", "".join(read.phones))


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


BOUND = 6.5
"""Nats a frame. Of 603 words of natural recordings 3 % lie beyond it, of 54 words put in others' places 94 %."""
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
        self._decoder: Any = module.Decoder(samprate=16000, loglevel="FATAL", lm=None, compallsen=True, **beams)

    def words_wrong(self, waveform: Waveform, text: str) -> int:
        """How many words of a text are not found in the audio."""
        expected, spoken = self.aligned(waveform, text)
        right = sum(_score(word) >= -BOUND for word in spoken)
        return len(expected) - right

    def aligned(self, waveform: Waveform, text: str) -> tuple[list[str], list[Any]]:
        """The words of a text, and the segments of those that were found in the audio."""
        expected = self._known_words(text)
        self._decoder.set_align_text(" ".join(expected))
        self._decoder.start_utt()
        self._decoder.process_raw(sphinx_samples(waveform), full_utt=True)
        self._decoder.end_utt()
        found = [] if self._decoder.hyp() is None else list(self._decoder.seg())
        return expected, [word for word in found if not word.word.startswith(("<", "["))]

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
