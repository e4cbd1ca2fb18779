"""Clips that a voice is judged by: those that nothing in its ancestry was trained on, spoken and measured."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from voxgrad.audio.io import Samples, Waveform, read_audio
from voxgrad.errors import BadInputError
from voxgrad.evaluation.metrics import PerceptualMetrics, distances, phone_seconds, words
from voxgrad.settings import SynthesisSpec
from voxgrad.store.artifact import Artifact, Reference
from voxgrad.store.store import Lineage, Store
from voxgrad.training.alignment import align_corpus, align_unknown_speakers
from voxgrad.training.dataset import Alignment, Clip, Corpus, Dataset
from voxgrad.voice.torch_engine import TorchEngine


def held_out(store: Store, voice: Artifact, dataset: Dataset, speaker: str) -> list[Clip]:
    """Find the clips of a dataset that a voice can be judged by, one take of each sentence, in a fixed order.

    Where the voice, or what it was made from, was trained on the dataset (the same digest, or the same name), only
    the sentences that each of these trainings held out; else all.

    Args:
        store: where the voice's ancestors are.
        voice: a voice or a base.
        dataset: recordings.
        speaker: whose clips.

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
    """Whose recordings a voice is compared with: the wanted speaker's, its own, or the only one's.

    Raises:
        BadInputError: that is nobody, or unclear.
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


def alignments(engine: TorchEngine, dataset: Dataset, clips: Sequence[Clip]) -> dict[str, Alignment]:
    """The voice's own alignments of recordings, of a speaker that it knows or not."""
    corpus = dataset.corpus.with_clips(clips).alignable()
    known = engine.acoustic.spec.speakers
    rows = {name: known.get(name, engine.acoustic.row) for name in corpus.speakers}
    search = align_corpus if set(corpus.speakers) <= set(known) else align_unknown_speakers
    return search(engine.acoustic.model, corpus, rows, torch.device("cpu"))


def speak(engine: TorchEngine, clip: Clip, settings: SynthesisSpec, seed: int) -> Take:
    """Say the tokens of a clip as one utterance."""
    started = time.perf_counter()
    mel, durations = engine.mel(clip.tokens, settings, torch.Generator().manual_seed(seed))
    audio = engine.vocode(mel)
    return Take(audio, mel.numpy(), durations, time.perf_counter() - started)


def measured(take: Take, clip: Clip, recorded: Waveform, engine: TorchEngine, alignment: Alignment) -> Figures:
    """All that needs no other model; see `voxgrad.evaluation.metrics.Distances` for units.

    Args:
        take: what the voice made of the clip.
        clip: what was said.
        recorded: the clip's recording.
        engine: of the voice that spoke.
        alignment: of the recording, by the voice itself.
    """
    spec = engine.acoustic.spec.mel
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
