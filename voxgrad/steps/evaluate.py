"""A voice and held-out recordings → metrics; a voice and its base → a page that compares them."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from voxgrad.audio.io import Samples, Waveform
from voxgrad.evaluation.clips import (
    COLUMNS,
    VOCODED,
    Figures,
    alignments,
    held_out,
    helped,
    likeness,
    lines,
    markdown,
    measured,
    perceptual,
    recording,
    speak,
    speaker_of,
    summarised,
    verdict,
)
from voxgrad.evaluation.metrics import PerceptualMetrics, distances, not_installed
from voxgrad.evaluation.verdicts import RECORDINGS, VOICE, verdicts
from voxgrad.events import Advanced, Began, Emit, Ended, Said, counted
from voxgrad.pictures import joined_histograms, mel_picture, mp3, template
from voxgrad.preparation.consent import is_own
from voxgrad.preparation.speech_recognition import best_recogniser
from voxgrad.settings import SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store
from voxgrad.training.dataset import Alignment, Clip, Dataset, check_fits
from voxgrad.vocoder.choice import choose_vocoder, mel_of
from voxgrad.voice.torch_engine import TorchEngine
from voxgrad.weights import taught

EVALUATE, EVALUATE_VERSION = "evaluate", 3
CARD, CARD_VERSION = "card", 2
_COMPARED = 40
"""Recordings that speech is compared with."""
_ENOUGH_SECONDS = 30.0
_SENTENCES = 4  # of a card
_BASE = "base"
"""Column of a card."""
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
    spoken = opened.text.language
    engine = TorchEngine.load(voice, vocoder, taught(voice, store, spoken))
    check_fits(engine.acoustic.spec, opened, voice.ref)
    trial = replace(trial, synthesis=trial.synthesis.resolve_defaults(engine.acoustic.spec.model))
    whose = speaker_of(opened, engine.acoustic.spec.voice, trial.speaker)
    clips = held_out(store, voice, opened, whose)[: trial.clips]
    recogniser = best_recogniser(spoken, download=True)
    parents = {"voice": voice, "dataset": dataset, **({} if vocoder is None else {"vocoder": vocoder})}
    settings: dict[str, Any] = {"synthesis": trial.synthesis.model_dump(), "clips": trial.clips, "speaker": whose}
    judges = {"missing": sorted(not_installed(recogniser)), **({} if recogniser is None else recogniser.settings)}
    key = fingerprint(EVALUATE, EVALUATE_VERSION, settings, parents, {"seed": trial.seed, **judges})
    if (known := store.matching("evaluation", key, emit)) is not None:
        return known
    opened = replace(opened, corpus=replace(opened.corpus, speakers=(whose,)))
    models = PerceptualMetrics(recogniser, spoken)
    rows, audio = _rows(opened, clips, engine, models, trial, emit)
    metrics = {"clips": len(clips), **_judged(models, opened, clips, rows, audio)}
    summary = {column: metrics[column] for column in COLUMNS}
    with store.stage("evaluation", voice.name) as staged:
        content = {"clips": [clip.id for clip in clips], "summary": summary, "figures": rows}
        text = json.dumps(content, indent=1, allow_nan=False)
        (staged.directory / "evaluation.json").write_text(f"{text}\n", encoding="utf-8")
        title = f"{voice} on {len(clips)} clips of {dataset.ref}"
        (staged.directory / "evaluation.md").write_text(markdown(title, verdicts(metrics), summary), encoding="utf-8")
        picture = joined_histograms(_distributions(rows[VOICE]), "clips", title)
        (staged.directory / "clips.svg").write_text(picture, encoding="utf-8")
        return staged.publish(
            fingerprint=key,
            parents=parents,
            settings=settings,
            seed=trial.seed,
            device=f"cpu, {torch.get_num_threads()} threads",
            tools={"torch": torch.__version__},
            metrics=metrics,
            consent=voice.manifest.consent,
            licence=voice.manifest.licence,
        )


Audio = Mapping[str, Sequence[Waveform]]
"""By column, the audio of every clip."""
Sentence = tuple[str, list[tuple[str, str, str]]]
"""A text, and its takes: caption, audio and picture."""


def _rows(
    dataset: Dataset,
    clips: Sequence[Clip],
    engine: TorchEngine,
    models: PerceptualMetrics,
    trial: Trial,
    emit: Emit,
) -> tuple[dict[str, list[Figures]], Audio]:
    emit(Began(EVALUATE, len(clips), "clips"))
    aligned = alignments(engine, dataset, clips)
    clips = [clip for clip in clips if clip.id in aligned]
    rows: dict[str, list[Figures]] = {column: [] for column in COLUMNS}
    audio_of: dict[str, list[Waveform]] = {column: [] for column in COLUMNS}
    speak(engine, clips[0], trial.synthesis, trial.seed)  # the first call compiles and allocates
    for number, clip in enumerate(clips):
        recorded = recording(dataset, clip)
        take = speak(engine, clip, trial.synthesis, trial.seed + number)
        copied = engine.vocode(dataset.corpus.mel(clip))
        compared: dict[str, tuple[Samples, Figures]] = {
            VOICE: (take.audio, measured(take, clip, recorded, engine, aligned[clip.id])),
            VOCODED: (copied, asdict(distances(copied, recorded.samples, dataset.mel))),
            RECORDINGS: (recorded.samples, {}),
        }
        for column, (samples, figures) in compared.items():
            audio = Waveform(samples, recorded.rate)
            audio_of[column].append(audio)
            rows[column].append({"seconds": audio.seconds, **figures, **perceptual(models, audio, clip)})
        emit(Advanced(EVALUATE, number + 1))
    emit(Ended(EVALUATE))
    return rows, audio_of


def _judged(
    models: PerceptualMetrics,
    dataset: Dataset,
    clips: Sequence[Clip],
    rows: Mapping[str, Sequence[Figures]],
    audio: Audio,
) -> dict[str, Any]:
    """The metrics of an evaluation or a card: every column's figures, with its likeness, and what is not measured."""
    said = {column: waveforms for column, waveforms in audio.items() if column != RECORDINGS}
    found = likeness(models, _reference(dataset, clips), said)
    alike = found if isinstance(found, dict) else {}
    summary: dict[str, Any] = {
        column: {**figures, **alike.get(column, {})} for column, figures in summarised(rows).items()
    }
    about = {
        "not_installed": models.lacking,
        "no_likeness": found if isinstance(found, str) else None,
        "recogniser": None if models.recogniser is None else models.recogniser.name,
    }
    return {**{name: value for name, value in about.items() if value}, **summary}


def _reference(dataset: Dataset, said: Sequence[Clip]) -> list[Waveform]:
    """Some recordings of the speaker; of other sentences than those that are said, if there are enough."""
    own = sorted(dataset.corpus.clips, key=lambda clip: (clip.rank, clip.id))
    own = [clip for clip in own if clip.speaker in dataset.corpus.speakers]
    texts = {clip.normalised for clip in said}
    others = [clip for clip in own if clip.normalised not in texts]
    enough = sum(clip.seconds for clip in others) >= _ENOUGH_SECONDS
    return [recording(dataset, clip) for clip in (others if enough else own)[:_COMPARED]]


def _distributions(clips: Sequence[Figures]) -> dict[str, list[float]]:
    shown = {
        "mel-cepstral distortion (dB)": "mel_cepstral_distortion",
        "F0 shift (semitones)": "f0_shift",
        "length against recording": "length",
        "voicing error (share)": "voicing_error",
    }
    return {name: [v for clip in clips if (v := clip.get(key)) is not None] for name, key in shown.items()}


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
    opened = Dataset.open(dataset)
    spoken = opened.text.language
    recogniser = best_recogniser(spoken, download=False)
    judges = {"missing": not_installed(recogniser), **({} if recogniser is None else recogniser.settings)}
    key = fingerprint(CARD, CARD_VERSION, judges, parents, {})
    if (known := store.matching(CARD, key)) is not None:
        return known
    emit(Said(f"comparing {voice.ref} with its base {base.ref}"))
    engines = {
        column: TorchEngine.load(speaking, vocoder, taught(speaking, store, spoken))
        for column, speaking in ((_BASE, base), (VOICE, voice))
    }
    whose = engines[VOICE].acoustic.spec.voice
    opened = replace(opened, corpus=replace(opened.corpus, speakers=(whose,)))
    theirs = [clip for clip in opened.corpus.clips if clip.speaker == whose]
    learnt = opened.corpus.with_clips(theirs).has_one_sentence
    clips = theirs[:1] if learnt else held_out(store, voice, opened, whose)
    clips = sorted(clips, key=lambda clip: (abs(clip.seconds - _SECONDS), clip.id))[:_SENTENCES]
    aligned = alignments(engines[VOICE], opened, clips)
    models = PerceptualMetrics(recogniser, spoken)
    rows, audio, sentences = _compare(engines, models, opened, clips, aligned, emit, deadline)
    if len(sentences) < len(clips):
        emit(Said(f"the card has {len(sentences)} of {len(clips)} sentences, because time ran out"))
        key = fingerprint(CARD, CARD_VERSION, {**judges, "sentences": len(sentences)}, parents, {})
    metrics = _judged(models, opened, clips[: len(sentences)], rows, audio)
    compared = metrics[_BASE], metrics[VOICE]
    metrics |= {"verdict": verdict(*compared), "helped": helped(*compared)}
    held_out_sentences = f"{counted(len(sentences), 'sentences')} that it was not trained on"
    judged_on = "the one sentence that it was trained on" if learnt else held_out_sentences
    page = _page(voice, base, metrics, judged_on, spoken, sentences)
    with store.stage(CARD, voice.name) as staged:
        (staged.directory / "card.html").write_text(page, encoding="utf-8")
        return staged.publish(
            fingerprint=key,
            parents=parents,
            settings={"sentences": [clip.id for clip in clips[: len(sentences)]]},
            seed=0,
            metrics=metrics,
            consent=voice.manifest.consent,
            licence=voice.manifest.licence,
        )


def _page(
    voice: Artifact,
    base: Artifact,
    metrics: Mapping[str, Any],
    judged_on: str,
    spoken: str,
    sentences: list[Sentence],
) -> str:
    summary = {column: metrics[column] for column in (VOICE, _BASE, RECORDINGS)}
    return template(Path(__file__).parent.parent / "evaluation", "card.jinja").render(
        title=f"The voice {voice.ref}",
        verdicts=verdicts(metrics, to_speaker=is_own(voice.manifest.consent)),
        judged_on=judged_on,
        base=base.ref,
        outcome=metrics["verdict"],
        recogniser=metrics.get("recogniser"),
        columns=list(summary),
        rows=lines(summary),
        language=spoken,
        sentences=sentences,
    )


def _compare(
    engines: Mapping[str, TorchEngine],
    models: PerceptualMetrics,
    dataset: Dataset,
    clips: Sequence[Clip],
    aligned: Mapping[str, Alignment],
    emit: Emit,
    deadline: float,
) -> tuple[dict[str, list[Figures]], Audio, list[Sentence]]:
    """Base and voice say the sentences: metrics and audio by column, and what the page shows."""
    rows: dict[str, list[Figures]] = {column: [] for column in (*engines, RECORDINGS)}
    audio_of: dict[str, list[Waveform]] = {column: [] for column in rows}
    sentences: list[Sentence] = []
    emit(Began(CARD, len(clips), "sentences"))
    for seed, clip in enumerate(clips):
        if seed and time.monotonic() > deadline:
            break
        recorded = recording(dataset, clip)
        rows[RECORDINGS].append(perceptual(models, recorded, clip))
        audio_of[RECORDINGS].append(recorded)
        mels = {RECORDINGS: dataset.corpus.mel(clip).numpy()}
        for column, engine in engines.items():
            take = speak(engine, clip, SynthesisSpec(), seed)
            mels[column] = take.mel
            audio = Waveform(take.audio, recorded.rate)
            audio_of[column].append(audio)
            rows[column].append(
                {**measured(take, clip, recorded, engine, aligned[clip.id]), **perceptual(models, audio, clip)}
            )
        takes = [
            (
                "recording" if column == RECORDINGS else column,
                mp3(audio_of[column][-1].samples, recorded.rate),
                mel_picture(mel),
            )
            for column, mel in mels.items()
        ]
        sentences.append((clip.text, takes))
        emit(Advanced(CARD, seed + 1))
    emit(Ended(CARD))
    return rows, audio_of, sentences
