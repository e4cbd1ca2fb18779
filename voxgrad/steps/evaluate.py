"""A voice and held-out recordings → metrics."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from voxgrad.audio.io import Waveform
from voxgrad.evaluation.clips import (
    RECORDINGS,
    VOCODED,
    VOICE,
    Figures,
    alignments,
    held_out,
    markdown,
    measured,
    perceptual,
    recording,
    speak,
    speaker_of,
    summarised,
)
from voxgrad.evaluation.metrics import INSTALL, PerceptualMetrics, distances, missing, similarity
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.settings import SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store
from voxgrad.training.dataset import Clip, Dataset, check_fits
from voxgrad.voice.torch_engine import TorchEngine

VERSION = 2
TABLE, FIGURES, PICTURE = "evaluation.md", "evaluation.json", "clips.png"
_TASK = "evaluate"
_COMPARED = 40
"""Recordings that a speaker's mean embedding is made of."""


@dataclass(frozen=True)
class Trial:
    """What is asked for.

    Attributes:
        clips: at most so many sentences.
        speaker: whose recordings; None: the voice's own speaker's, or the only one's.
        synthesis: how the voice speaks.
        seed: of the first clip's noise; each further clip has the next.
    """

    clips: int = 60
    speaker: str | None = None
    synthesis: SynthesisSpec = SynthesisSpec()  # noqa: RUF009 (frozen)
    seed: int = 0


def evaluate(
    store: Store, voice: Artifact, dataset: Artifact, vocoder: Artifact | None, *, trial: Trial, emit: Emit
) -> Artifact:
    """Measures a voice on clips that it never trained on, or finds the evaluation that the same work made before.

    Args:
        store: where the evaluation goes.
        voice: a voice or a base.
        dataset: recordings.
        vocoder: None for Griffin-Lim.
        trial: how many clips, whose, and how they are spoken.
        emit: called with progress events.

    Raises:
        BadInputError: voice, dataset and vocoder do not fit, or no clip is left to judge by.
        EnvironmentFailureError: the disk refuses.
    """
    opened = Dataset.open(dataset)
    engine = TorchEngine.load(voice, vocoder)
    check_fits(engine.acoustic.spec, opened, voice.ref)
    trial = replace(trial, synthesis=trial.synthesis.resolve_defaults(engine.acoustic.spec.model))
    whose = speaker_of(opened, engine.acoustic.spec.voice, trial.speaker)
    clips = held_out(store, voice, opened, whose)[: trial.clips]
    lacking = missing()
    if lacking:
        emit(Said(f"not measured: {', '.join(lacking)} ({INSTALL})"))
    parents = {"voice": voice, "dataset": dataset, **({} if vocoder is None else {"vocoder": vocoder})}
    settings: dict[str, Any] = {"synthesis": trial.synthesis.model_dump(), "clips": trial.clips, "speaker": whose}
    key = fingerprint(_TASK, VERSION, settings, parents, {"seed": trial.seed, "missing": sorted(lacking)})
    if (known := store.matching("evaluation", key)) is not None:
        emit(Said(f"{known.ref} is up to date"))
        return known
    opened = replace(opened, corpus=replace(opened.corpus, speakers=(whose,)))
    rows = _rows(opened, clips, engine, trial, emit)
    summary = summarised(rows)
    with store.stage("evaluation", voice.name) as staged:
        content = {"clips": [clip.id for clip in clips], "summary": summary, "figures": rows}
        text = json.dumps(content, indent=1, allow_nan=False)
        (staged.directory / FIGURES).write_text(f"{text}\n", encoding="utf-8")
        title = f"{voice} on {len(clips)} clips of {dataset.ref}"
        (staged.directory / TABLE).write_text(markdown(title, summary), encoding="utf-8")
        _draw(staged.directory / PICTURE, rows[VOICE])
        return staged.publish(
            fingerprint=key,
            parents=parents,
            settings=settings,
            seed=trial.seed,
            device=f"cpu, {torch.get_num_threads()} threads",
            tools={"torch": torch.__version__},
            metrics={"clips": len(clips), "not_measured": sorted(lacking), **summary},
            consent=voice.manifest.consent,
            licence=voice.manifest.licence,
        )


def _rows(
    dataset: Dataset, clips: Sequence[Clip], engine: TorchEngine, trial: Trial, emit: Emit
) -> dict[str, list[Figures]]:
    emit(Began(_TASK, len(clips), "clips"))
    metrics_by_models = PerceptualMetrics()
    aligned = alignments(engine, dataset, clips)
    clips = [clip for clip in clips if clip.id in aligned]
    rows: dict[str, list[Figures]] = {VOICE: [], VOCODED: [], RECORDINGS: []}
    others = _reference(dataset, metrics_by_models)
    speak(engine, clips[0], trial.synthesis, trial.seed)  # the first call compiles and allocates
    for number, clip in enumerate(clips):
        recorded = recording(dataset, clip)
        take = speak(engine, clip, trial.synthesis, trial.seed + number)
        copied = engine.vocode(dataset.corpus.mel(clip))
        compared = [embedding for name, embedding in others.items() if name != clip.id]
        spec = dataset.mel
        against: dict[str, Figures] = {
            VOICE: measured(take, clip, recorded, engine, aligned[clip.id]),
            VOCODED: asdict(distances(copied, recorded.samples, spec)),
            RECORDINGS: {},
        }
        audio_of = {VOICE: take.audio, VOCODED: copied, RECORDINGS: recorded.samples}
        for column, samples in audio_of.items():
            audio = Waveform(samples, spec.sample_rate)
            embedding = metrics_by_models.voice(audio)
            like = None if embedding is None or not compared else similarity(embedding, compared)
            rows[column].append(
                {
                    "seconds": audio.seconds,
                    **against[column],
                    **perceptual(metrics_by_models, audio, clip),
                    "similarity": like,
                }
            )
        emit(Advanced(_TASK, number + 1))
    emit(Ended(_TASK))
    return rows


def _reference(dataset: Dataset, metrics_by_models: PerceptualMetrics) -> dict[str, NDArray[np.float32]]:
    """Embeddings of some recordings of the speaker, by clip."""
    own = [clip for clip in dataset.corpus.clips if clip.speaker in dataset.corpus.speakers]
    embeddings = {}
    for clip in sorted(own, key=lambda clip: (clip.rank, clip.id))[:_COMPARED]:
        embedding = metrics_by_models.voice(recording(dataset, clip))
        if embedding is not None:
            embeddings[clip.id] = embedding
    return embeddings


def _draw(path: Path, clips: Sequence[Figures]) -> None:
    # Only here, because matplotlib takes long to load.
    from voxgrad import pictures  # noqa: PLC0415

    shown = {
        "mel-cepstral distortion (dB)": "mel_cepstral_distortion",
        "F0 shift (semitones)": "f0_shift",
        "length against recording": "length",
        "voicing error (share)": "voicing_error",
    }
    values = {name: [v for clip in clips if (v := clip.get(key)) is not None] for name, key in shown.items()}
    pictures.draw_distributions(path, values)
