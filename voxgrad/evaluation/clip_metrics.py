"""One held-out clip, spoken by a voice, and measured against its recording."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from voxgrad.audio.io import Samples, Waveform, read_audio
from voxgrad.evaluation.distances import distances, phone_seconds
from voxgrad.evaluation.perceptual_metrics import PerceptualMetrics, words
from voxgrad.settings import SynthesisSpec
from voxgrad.speech.synthesizer import Synthesizer
from voxgrad.training.alignment import align_corpus, align_unknown_speakers
from voxgrad.training.batches import Alignment
from voxgrad.training.dataset import Clip, Dataset

Figures = dict[str, float | None]


@dataclass(frozen=True, eq=False)
class Take:
    """A sentence, said.

    Attributes:
        audio: (n,) samples.
        mel: (n_mels, frames).
        durations: frames of every token.
        work: seconds that it took.
    """

    audio: Samples
    mel: Samples
    durations: tuple[int, ...]
    work: float


def recording(dataset: Dataset, clip: Clip) -> Waveform:
    """The recording of a clip, as prepared."""
    return read_audio(dataset.artifact.path(f"audio/{clip.id}.flac"))


def alignments(speaker: Synthesizer, dataset: Dataset, clips: Sequence[Clip]) -> dict[str, Alignment]:
    """The voice's own alignments of recordings, of a speaker that it knows or not."""
    corpus = dataset.corpus.with_clips(clips).alignable()
    known = speaker.acoustic.spec.speakers
    rows = {one: known.get(one, speaker.acoustic.row) for one in corpus.speakers}
    search = align_corpus if set(corpus.speakers) <= set(known) else align_unknown_speakers
    return search(speaker.acoustic.model, corpus, rows, torch.device("cpu"))


def speak(speaker: Synthesizer, clip: Clip, settings: SynthesisSpec, seed: int) -> Take:
    """Say the tokens of a clip as one utterance."""
    started = time.perf_counter()
    mel, durations = speaker.mel(clip.tokens, settings, torch.Generator().manual_seed(seed))
    audio = speaker.vocode(mel)
    return Take(audio, mel.numpy(), durations, time.perf_counter() - started)


def measured(
    take: Take, clip: Clip, recorded: Waveform, speaker: Synthesizer, alignment: Alignment
) -> Figures:
    """All that needs no other model; see `voxgrad.evaluation.distances.Distances` for units.

    Args:
        take: what the voice made of the clip.
        clip: what was said.
        recorded: the clip's recording.
        speaker: who spoke.
        alignment: of the recording, by the voice itself.
    """
    spec = speaker.acoustic.spec.mel
    said = phone_seconds(clip.tokens, take.durations, spec)
    meant = phone_seconds(clip.tokens, alignment.durations.tolist(), spec)
    return {
        **asdict(distances(take.audio, recorded.samples, spec)),
        "phone_error": float(np.abs(said - meant).mean()),
        "real_time_factor": take.work * spec.sample_rate / len(take.audio),
    }


def perceptual(metrics_by_models: PerceptualMetrics, audio: Waveform, clip: Clip) -> Figures:
    """Metrics by other models of an utterance: words misheard, and quality."""
    misheard = metrics_by_models.words_misheard(audio, clip.normalised)
    found: Mapping[str, float | None] = {
        "misheard": misheard,
        "wrong": metrics_by_models.words_wrong(audio, clip.text),
        "words": len(words(clip.normalised)),
        "dnsmos": metrics_by_models.quality(audio),
    }
    return {name: value for name, value in found.items() if value is not None}
