"""A voice and its base → a page that compares them."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from voxgrad.audio.io import Samples
from voxgrad.evaluation.clips import (
    MEASURES,
    VOICE,
    Figures,
    alignments,
    held_out,
    measured,
    recording,
    speak,
    summarised,
    verdict,
)
from voxgrad.events import Advanced, Began, Emit, Ended, Said, counted
from voxgrad.pictures import mel_picture, mp3, template
from voxgrad.settings import SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store
from voxgrad.training.dataset import Alignment, Clip, Dataset
from voxgrad.vocoder.choice import choose_vocoder, mel_of
from voxgrad.voice.torch_engine import TorchEngine

VERSION = 1
PAGE, PICTURE = "card.html", "card.png"
_TASK = "card"
_SENTENCES = 4
_SECONDS = 4.0


def card(store: Store, voice: Artifact, emit: Emit, deadline: float = math.inf) -> Artifact:
    """Compares a voice with its base on the same held-out sentences and seeds, or finds the card made before.

    Args:
        store: where the card goes.
        voice: a fine-tuned voice.
        emit: called with progress events.
        deadline: when no further sentence is begun (`time.monotonic`); there is always one.

    Raises:
        BadInputError: its base or its dataset is gone, or no clip was held out.
        EnvironmentFailureError: the disk refuses.
    """
    base, dataset = (store.origin(voice.parent(role), role) for role in ("base", "dataset"))
    vocoder = choose_vocoder(store, None, mel_of(voice), emit)
    parents = {"voice": voice, "base": base, "dataset": dataset, **({} if vocoder is None else {"vocoder": vocoder})}
    key = fingerprint(_TASK, VERSION, {}, parents, {})
    if (known := store.matching("card", key)) is not None:
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
        emit(Said(f"the card has {len(sentences)} of {len(clips)} sentences, because the time ran out"))
        key = fingerprint(_TASK, VERSION, {"sentences": len(sentences)}, parents, {})
    summary = {name: summarised({VOICE: figures})[VOICE] for name, figures in rows.items()}
    outcome = verdict(summary["base"], summary["voice"])
    emit(Said(outcome))
    # Only here, because matplotlib takes long to load.
    from voxgrad import pictures  # noqa: PLC0415

    with store.stage("card", voice.name) as staged:
        pictures.draw_compared(staged.directory / PICTURE, mels, opened.mel)
        page = template(Path(__file__).parent.parent / "evaluation", "card.jinja").render(
            title=f"{voice.ref} beside its base {base.ref}",
            corner="on the one sentence that it learnt from"
            if learnt
            else f"on {counted(len(sentences), 'held-out sentences')}",
            columns=("base", "voice"),
            verdict=outcome,
            measures=[measure for measure in MEASURES if measure.key in summary["voice"]],
            summary=summary,
            sentences=sentences,
        )
        (staged.directory / PAGE).write_text(page, encoding="utf-8")
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
    emit(Began(_TASK, len(clips), "sentences"))
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
        emit(Advanced(_TASK, seed + 1))
    emit(Ended(_TASK))
    return rows, sentences, mels
