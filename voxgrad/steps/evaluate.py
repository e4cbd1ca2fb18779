"""A voice and held-out recordings → metrics; a voice and its base → a page that compares them."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from voxgrad.audio.io import Samples, Waveform
from voxgrad.evaluation.clips import (
    MEASURES,
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
    verdict,
)
from voxgrad.evaluation.metrics import INSTALL, PerceptualMetrics, distances, missing, similarity
from voxgrad.events import Advanced, Began, Emit, Ended, Said, counted
from voxgrad.pictures import mel_picture, mp3, template
from voxgrad.settings import SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store
from voxgrad.training.dataset import Alignment, Clip, Dataset, check_fits
from voxgrad.vocoder.choice import choose_vocoder, mel_of
from voxgrad.voice.torch_engine import TorchEngine

EVALUATE, EVALUATE_VERSION = "evaluate", 2
CARD, CARD_VERSION = "card", 1
_COMPARED = 40
"""Recordings that a speaker's mean embedding is made of."""
_SENTENCES = 4  # of a card
_SECONDS = 4.0  # of each, if possible


@dataclass(frozen=True)
class Trial:
    """The options of an evaluation.

    Attributes:
        clips: at most so many sentences.
        speaker: whose recordings; None: the voice's own speaker's, or the only one's.
        synthesis: how the voice speaks.
        seed: of the first clip's noise; each further clip has the next.
    """

    clips: int
    speaker: str | None
    synthesis: SynthesisSpec
    seed: int


def evaluate(
    store: Store, voice: Artifact, dataset: Artifact, vocoder: Artifact | None, *, trial: Trial, emit: Emit
) -> Artifact:
    """Measures a voice on clips that it never trained on, or finds the evaluation that the same work made before.

    Raises:
        BadInputError: voice, dataset and vocoder do not fit, or no clip is left to judge by.
        EnvironmentFailureError: the disk is full or cannot be written.
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
    key = fingerprint(EVALUATE, EVALUATE_VERSION, settings, parents, {"seed": trial.seed, "missing": sorted(lacking)})
    if (known := store.matching("evaluation", key, emit)) is not None:
        return known
    opened = replace(opened, corpus=replace(opened.corpus, speakers=(whose,)))
    rows = _rows(opened, clips, engine, trial, emit)
    summary = summarised(rows)
    with store.stage("evaluation", voice.name) as staged:
        content = {"clips": [clip.id for clip in clips], "summary": summary, "figures": rows}
        text = json.dumps(content, indent=1, allow_nan=False)
        (staged.directory / "evaluation.json").write_text(f"{text}\n", encoding="utf-8")
        title = f"{voice} on {len(clips)} clips of {dataset.ref}"
        (staged.directory / "evaluation.md").write_text(markdown(title, summary), encoding="utf-8")
        _draw(staged.directory / "clips.png", rows[VOICE])
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
    emit(Began(EVALUATE, len(clips), "clips"))
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
        emit(Advanced(EVALUATE, number + 1))
    emit(Ended(EVALUATE))
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


def card(store: Store, voice: Artifact, emit: Emit, deadline: float = math.inf) -> Artifact:
    """Compares a voice with its base on the same held-out sentences and seeds, or finds the card made before.

    After the ``deadline`` of `time.monotonic`, no further sentence is begun; there is always one.

    Raises:
        BadInputError: its base or its dataset is gone, or no clip was held out.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    base, dataset = (store.origin(voice.parent(role), role) for role in ("base", "dataset"))
    vocoder = choose_vocoder(store, None, mel_of(voice), emit)
    parents = {"voice": voice, "base": base, "dataset": dataset, **({} if vocoder is None else {"vocoder": vocoder})}
    key = fingerprint(CARD, CARD_VERSION, {}, parents, {})
    if (known := store.matching(CARD, key)) is not None:
        return known
    emit(Said(f"comparing {voice.ref} with its base {base.ref}"))
    opened = Dataset.open(dataset)
    engines = {"base": TorchEngine.load(base, vocoder), "voice": TorchEngine.load(voice, vocoder)}
    whose = engines["voice"].acoustic.spec.voice
    theirs = [clip for clip in opened.corpus.clips if clip.speaker == whose]
    learnt = opened.corpus.with_clips(theirs).has_one_sentence
    clips = theirs[:1] if learnt else held_out(store, voice, opened, whose)
    clips = sorted(clips, key=lambda clip: (abs(clip.seconds - _SECONDS), clip.id))[:_SENTENCES]
    aligned = alignments(engines["voice"], opened, clips)
    rows, sentences, mels = _compare(engines, opened, clips, aligned, emit, deadline)
    if len(sentences) < len(clips):
        emit(Said(f"the card has {len(sentences)} of {len(clips)} sentences, because time ran out"))
        key = fingerprint(CARD, CARD_VERSION, {"sentences": len(sentences)}, parents, {})
    summary = {name: summarised({VOICE: figures})[VOICE] for name, figures in rows.items()}
    outcome = verdict(summary["base"], summary["voice"])
    emit(Said(outcome))
    # Only here, because matplotlib takes long to load.
    from voxgrad import pictures  # noqa: PLC0415

    with store.stage(CARD, voice.name) as staged:
        pictures.draw_compared(staged.directory / "card.png", mels, opened.mel)
        page = template(Path(__file__).parent.parent / "evaluation", "card.jinja").render(
            title=f"{voice.ref} beside its base {base.ref}",
            corner="on the one sentence that it was trained on"
            if learnt
            else f"on {counted(len(sentences), 'held-out sentences')}",
            columns=("base", "voice"),
            verdict=outcome,
            measures=[measure for measure in MEASURES if measure.key in summary["voice"]],
            summary=summary,
            sentences=sentences,
        )
        (staged.directory / "card.html").write_text(page, encoding="utf-8")
        return staged.publish(
            fingerprint=key,
            parents=parents,
            settings={"sentences": [clip.id for clip in clips[: len(sentences)]]},
            seed=0,
            metrics={"verdict": outcome, **summary},
            consent=voice.manifest.consent,
            licence=voice.manifest.licence,
        )


def _compare(
    engines: Mapping[str, TorchEngine],
    dataset: Dataset,
    clips: Sequence[Clip],
    aligned: Mapping[str, Alignment],
    emit: Emit,
    deadline: float,
) -> tuple[dict[str, list[Figures]], list[tuple[str, list[tuple[str, str, str]]]], list[dict[str, Samples]]]:
    """Base and voice say the sentences: metrics by speaker, players with pictures by sentence, and mels."""
    rows: dict[str, list[Figures]] = {name: [] for name in engines}
    sentences, mels = [], []
    emit(Began(CARD, len(clips), "sentences"))
    for seed, clip in enumerate(clips):
        if seed and time.monotonic() > deadline:
            break
        recorded = recording(dataset, clip)
        audio = {"recording": (recorded.samples, dataset.corpus.mel(clip).numpy())}
        for name, engine in engines.items():
            take = speak(engine, clip, SynthesisSpec(), seed)
            rows[name].append(measured(take, clip, recorded, engine, aligned[clip.id]))
            audio[name] = (take.audio, take.mel)
        takes = [(name, mp3(samples, recorded.rate), mel_picture(mel)) for name, (samples, mel) in audio.items()]
        sentences.append((clip.text, takes))
        mels.append({name: mel for name, (_, mel) in audio.items()})
        emit(Advanced(CARD, seed + 1))
    emit(Ended(CARD))
    return rows, sentences, mels
