"""Held-out clips, on which neither the voice nor its base was trained: speaking, measuring and summing them up."""

import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from voxgrad.audio.io import Samples, Waveform, read_audio
from voxgrad.errors import BadInputError
from voxgrad.evaluation.likeness import FEWEST, SHORTEST, Person, cut, other_speakers, piece_seconds
from voxgrad.evaluation.metrics import SPEECH_RATE, PerceptualMetrics, distances, phone_seconds, words
from voxgrad.evaluation.verdicts import RECORDINGS, VOICE
from voxgrad.settings import SynthesisSpec
from voxgrad.store.artifact import Artifact, Reference
from voxgrad.store.store import Lineage, Store
from voxgrad.training.alignment import align_with
from voxgrad.training.dataset import Alignment, Clip, Corpus, Dataset
from voxgrad.voice.torch_engine import TorchEngine


def held_out(store: Store, voice: Artifact, dataset: Dataset, speaker: str) -> list[Clip]:
    """Find the clips of a dataset that a voice can be judged by, one take of each sentence, in a fixed order.

    Where the voice, or what it was made from, was trained on the dataset (the same digest, or the same name), only
    the sentences that each of these trainings held out; else all.

    Raises:
        BadInputError: there are none.
    """
    clips = [clip for clip in dataset.corpus.clips if clip.speaker == speaker]
    for trained in _trained_on(store, voice, dataset.artifact):
        corpus = dataset.corpus.with_clips(clips) if trained.kind == "voice" else dataset.corpus
        outside = {clip.id for clip in _outside(corpus, trained).clips}
        clips = [clip for clip in clips if clip.id in outside]
    one_take = {clip.normalised: clip for clip in reversed(clips)}
    if not one_take:
        raise BadInputError(
            f"{dataset.artifact.ref} has no clips that were left out of the training of {voice.ref}",
            "Choose another dataset with --data.",
        )
    return sorted(one_take.values(), key=lambda clip: clip.rank)


def speaker_of(dataset: Dataset, voice: str, wanted: str | None) -> str:
    """The speaker with whose recordings a voice is compared: the requested one, its own, or the only one.

    Raises:
        BadInputError: there is no such speaker, or the choice is ambiguous.
    """
    speakers = dataset.corpus.speakers
    chosen = wanted if wanted is not None else voice if voice in speakers else speakers[0]
    if chosen not in speakers:
        raise BadInputError(f"{dataset.artifact.ref} has no speaker {chosen}", f"It has {', '.join(speakers)}.")
    if wanted is None and chosen != voice and len(speakers) > 1:
        raise BadInputError(
            f"{dataset.artifact.ref} has {len(speakers)} speakers, none of them {voice}",
            f"Choose with --speaker: {', '.join(speakers)}.",
        )
    return chosen


def _trained_on(store: Store, voice: Artifact, dataset: Artifact) -> Iterator[Artifact]:
    ancestors = [artifact for artifact in Lineage(store).ancestors(voice) if isinstance(artifact, Artifact)]
    for artifact in (voice, *ancestors):
        parent = artifact.manifest.parents.get("dataset")
        known = parent is not None and dataset.digest == parent.digest
        named = parent is not None and Reference.parse(parent.ref).name == dataset.name
        if artifact.kind in {"voice", "base"} and (known or named):
            yield artifact


def _outside(corpus: Corpus, trained: Artifact) -> Corpus:
    if corpus.has_one_sentence:
        return corpus.with_clips(())
    share = trained.manifest.settings.get("training", {}).get("held_out", 0.0)
    return corpus.divide(float(share))[1]


Figures = dict[str, float | None]


@dataclass(frozen=True, eq=False)
class Take:
    """A synthesised sentence."""

    audio: Samples
    """(n,) samples."""
    mel: Samples
    """(n_mels, frames)."""
    durations: tuple[int, ...]
    """Frames of every token."""
    work: float
    """Seconds that it took."""


def recording(dataset: Dataset, clip: Clip) -> Waveform:
    """The recording of a clip, as prepared."""
    return read_audio(dataset.artifact.path(f"audio/{clip.id}.flac"))


def alignments(engine: TorchEngine, dataset: Dataset, clips: Sequence[Clip]) -> dict[str, Alignment]:
    """The voice's own alignments of recordings, of a speaker that it knows or not."""
    return align_with(engine.acoustic, dataset.corpus.with_clips(clips).alignable(), torch.device("cpu"))


def speak(engine: TorchEngine, clip: Clip, settings: SynthesisSpec, seed: int) -> Take:
    """Synthesise the tokens of a clip as one utterance."""
    started = time.perf_counter()
    mel, durations = engine.mel(clip.tokens, settings, torch.Generator().manual_seed(seed))
    audio = engine.vocode(mel)
    return Take(audio, mel.numpy(), durations, time.perf_counter() - started)


def measured(take: Take, clip: Clip, recorded: Waveform, engine: TorchEngine, alignment: Alignment) -> Figures:
    """All that needs no other model, in the units of `Distances`; the alignment of the recording is the voice's own."""
    spec = engine.acoustic.spec.mel
    said = phone_seconds(clip.tokens, take.durations, spec)
    meant = phone_seconds(clip.tokens, alignment.durations.tolist(), spec)
    return {
        **asdict(distances(take.audio, recorded.samples, spec)),
        "phone_error": float(np.abs(said - meant).mean()),
        "real_time_factor": take.work * spec.sample_rate / len(take.audio),
    }


def perceptual(metrics_by_models: PerceptualMetrics, audio: Waveform, clip: Clip) -> Figures:
    """Metrics by other models of an utterance: words misheard, clearness and quality."""
    misheard, aligner = metrics_by_models.words_misheard(audio, clip.normalised), metrics_by_models.aligner
    found: Mapping[str, float | None] = {
        "misheard": misheard,
        "wrong": None if aligner is None else aligner.words_wrong(audio, clip.text),
        "words": len(words(clip.normalised, metrics_by_models.language)),
        "distillmos": metrics_by_models.clearness(audio),
        "dnsmos": metrics_by_models.quality(audio),
    }
    return {name: value for name, value in found.items() if value is not None}


def likeness(
    models: PerceptualMetrics, recorded: Sequence[Waveform], said: Mapping[str, Sequence[Waveform]]
) -> dict[str, Figures] | str | None:
    """Identity and similarity of what each column says, and of the recordings; or why they cannot be measured.

    ``recorded`` are recordings of the speaker, of other sentences if possible. None where the model is not installed.
    """
    own = models.speech(recorded)
    speech = {name: found for name, waveforms in said.items() if (found := models.speech(waveforms)) is not None}
    if own is None:
        return None
    lengths = [sum(map(len, found)) / SPEECH_RATE for found in (own, *speech.values())]
    seconds = piece_seconds(lengths[0], min(lengths[1:]))
    if seconds is None:
        short = (
            f"{FEWEST * SHORTEST:.0f} s of recordings" if lengths[0] < FEWEST * SHORTEST else f"{SHORTEST} s of speech"
        )
        return f"it takes {short}"
    size = round(seconds * SPEECH_RATE)
    spoken = {name: models.embed(cut(found, size)) for name, found in speech.items()}
    person = Person.of(models.embed(cut(own, size)), other_speakers(), min(map(len, spoken.values())))
    if person is None:
        return "one of the speakers to compare with sounds just like the recordings"
    figures: dict[str, Figures] = {
        name: {"identity": person.identity(found), "similarity": person.similarity(found)}
        for name, found in spoken.items()
    }
    return {**figures, RECORDINGS: {"similarity": person.own, "nearest": person.nearest}}


VOCODED = "through_vocoder"
COLUMNS = (VOICE, VOCODED, RECORDINGS)
Rows = Mapping[str, Sequence[Figures]]
"""By column, the figures of every clip."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the table."""

    key: str
    title: str
    unit: str
    factor: float
    digits: int


MEASURES = (
    Measure("identity", "identity", "", 1, 2),
    Measure("similarity", "speaker similarity", "", 1, 3),
    Measure("nearest", "nearest other speaker", "", 1, 3),
    Measure("word_error", "word error", "%", 100, 1),
    Measure("words_wrong", "words wrong by alignment", "%", 100, 1),
    Measure("distillmos", "DistillMOS", "1 to 5", 1, 2),
    Measure("dnsmos", "DNSMOS overall", "1 to 5", 1, 2),
    Measure("mel_cepstral_distortion", "mel-cepstral distortion", "dB", 1, 2),
    Measure("f0_error", "F0 error", "cents", 1, 0),
    Measure("f0_shift", "F0 shift", "semitones", 1, 2),
    Measure("voicing_error", "voicing error", "%", 100, 1),
    Measure("spectral_detail", "spectral detail against recording", "", 1, 2),
    Measure("length", "length against recording", "", 1, 3),
    Measure("length_error", "length error", "%", 100, 1),
    Measure("phone_error", "phone duration error", "ms", 1000, 0),
    Measure("real_time_factor", "real-time factor", "", 1, 3),
)
_MEDIANS = {"f0_shift", "real_time_factor"}


def summarised(rows: Rows) -> dict[str, Figures]:
    """One figure of each measure and column: means, of shift and real-time factor medians, of words a share."""
    return {column: _figures(clips) for column, clips in rows.items()}


def _figures(clips: Sequence[Figures]) -> Figures:
    figures: Figures = {}
    for measure in MEASURES:
        values = [value for clip in clips if (value := clip.get(measure.key)) is not None]
        if values:
            middle = statistics.median if measure.key in _MEDIANS else statistics.fmean
            figures[measure.key] = round(middle(values), 5)
    lengths = [math.fabs(value - 1) for clip in clips if (value := clip.get("length")) is not None]
    if lengths:
        figures["length_error"] = round(statistics.fmean(lengths), 5)
    for share, count in (("word_error", "misheard"), ("words_wrong", "wrong")):
        judged = [clip for clip in clips if clip.get(count) is not None]
        if judged:
            words, wrong = (sum(float(clip[name] or 0) for clip in judged) for name in ("words", count))
            figures |= {"words": words, count: wrong, share: round(wrong / words, 5)}
    return figures


def lines(summary: Mapping[str, Figures]) -> list[tuple[str, str, list[str]]]:
    """Title, unit and formatted figures of every measure with a value."""
    table = []
    for measure in MEASURES:
        shown = [_shown(figures.get(measure.key), measure) for figures in summary.values()]
        if any(shown):
            table.append((measure.title, measure.unit, shown))
    return table


def markdown(title: str, sentences: Sequence[str], summary: Mapping[str, Figures]) -> str:
    """The verdicts and the table as a document."""
    rows = [f"| {name}{f' ({unit})' if unit else ''} | {' | '.join(shown)} |" for name, unit, shown in lines(summary)]
    head = f"| | {' | '.join(column.replace('_', ' ') for column in summary)} |\n|{' --- |' * (1 + len(summary))}"
    said = "".join(f"- {sentence}\n" for sentence in sentences)
    return f"# {title}\n\n{said}\n## Details\n\n{head}\n" + "\n".join(rows) + "\n"


def _shown(value: float | None, measure: Measure) -> str:
    return "" if value is None else f"{value * measure.factor:.{measure.digits}f}"


_JUDGE = "mel_cepstral_distortion"
_NOTICEABLE = 0.1
"""dB; less is within what other noise would give."""
_BESIDE = (
    ("f0_shift", "pitch off by", "semitones", 1, 1),
    ("voicing_error", "voicing error", "%", 100, 0),
    ("phone_error", "phone durations off by", "ms", 1000, 0),
)


def helped(base: Figures, voice: Figures) -> bool:
    """Whether a voice is nearer to its recordings than its base was, by its mel-cepstral distortion."""
    before, after = base[_JUDGE], voice[_JUDGE]
    if before is None or after is None:
        raise ValueError("a summary without its judge")
    return before - after >= _NOTICEABLE


def verdict(base: Figures, voice: Figures) -> str:
    """Say whether a voice is nearer to its recordings than its base was, by its mel-cepstral distortion.

    >>> verdict({"mel_cepstral_distortion": 8.0, "f0_shift": -3.0}, {"mel_cepstral_distortion": 6.0, "f0_shift": 0.2})
    'Fine-tuning helped: mel-cepstral distortion 8.00 → 6.00 dB, pitch off by 3.0 → 0.2 semitones.'
    >>> verdict({"mel_cepstral_distortion": 6.0}, {"mel_cepstral_distortion": 6.1})
    'Fine-tuning did not help: mel-cepstral distortion 6.00 → 6.10 dB.'
    """
    said = "helped" if helped(base, voice) else "did not help"
    figures = [f"mel-cepstral distortion {base[_JUDGE]:.2f} → {voice[_JUDGE]:.2f} dB"]
    for key, title, unit, factor, digits in _BESIDE:
        was, now = base.get(key), voice.get(key)
        if was is not None and now is not None:
            figures.append(f"{title} {abs(was) * factor:.{digits}f} → {abs(now) * factor:.{digits}f} {unit}")
    return f"Fine-tuning {said}: {', '.join(figures)}."
