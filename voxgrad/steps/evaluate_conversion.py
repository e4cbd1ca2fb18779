"""A voice and recordings of others → how much of them a conversion keeps, and a page to hear it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from voxgrad.audio.io import Samples, Waveform
from voxgrad.audio.mel import log_mel
from voxgrad.conversion.convert import convert
from voxgrad.conversion.source import SourceSpeech, read_source, sha256_of
from voxgrad.evaluation.clip_metrics import Figures
from voxgrad.evaluation.conversion_metrics import kept, likeness
from voxgrad.evaluation.perceptual_metrics import INSTALL, PerceptualMetrics, missing
from voxgrad.evaluation.summary import MEASURES, markdown, summarised
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.pages import mel_picture, mp3, template
from voxgrad.settings import ConversionSpec, MelSpec, SynthesisSpec
from voxgrad.speech.synthesizer import Synthesizer
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store
from voxgrad.text.lexicon import NONE

VERSION = 1
COLUMNS = ("source", "converted")
TABLE, FIGURES, PAGE, PICTURE = "evaluation.md", "evaluation.json", "card.html", "card.png"
_TASK = "evaluate"
_SHOWN = 4


@dataclass(frozen=True, eq=False)
class _Take:
    """A recording and what became of it.

    Attributes:
        source: taken apart.
        converted: at the same rate.
    """

    source: SourceSpeech
    converted: Waveform

    def mels(self, spec: MelSpec) -> dict[str, Samples]:
        """Of both, (n_mels, frames)."""
        both = (self.source.waveform, self.converted)
        return {
            name: log_mel(torch.from_numpy(one.samples), spec).numpy()
            for name, one in zip(COLUMNS, both, strict=True)
        }


def evaluate_conversion(
    store: Store,
    voice: Artifact,
    recordings: Sequence[tuple[Path, str]],
    vocoder: Artifact | None,
    *,
    synthesis: SynthesisSpec,
    seed: int,
    emit: Emit,
) -> Artifact:
    """Convert recordings and measure them, or find the evaluation that the same work made before.

    Args:
        store: where the evaluation goes.
        voice: a voice or a base.
        recordings: audio files, and what is said in them.
        vocoder: None for Griffin-Lim.
        synthesis: how the voice speaks.
        seed: of the first recording's noise; each further one has the next.
        emit: called with progress events.

    Raises:
        BadInputError: a recording cannot be converted.
        EnvironmentFailureError: the disk refuses.
    """
    speaker = Synthesizer.load(voice, vocoder, NONE)
    lacking = missing()
    if lacking:
        emit(Said(f"not measured: {', '.join(lacking)} ({INSTALL})"))
    known_by = {"voice": voice.as_parent(), **({} if vocoder is None else {"vocoder": vocoder.as_parent()})}
    settings: dict[str, Any] = {
        "synthesis": synthesis.model_dump(),
        "conversion": ConversionSpec().model_dump(),
    }
    said = [[path.name, sha256_of(path), text] for path, text in recordings]
    key = fingerprint(
        "evaluate_conversion",
        VERSION,
        settings,
        known_by,
        {"seed": seed, "recordings": said, "missing": sorted(lacking)},
    )
    if (known := store.matching("evaluation", key)) is not None:
        emit(Said(f"nothing changed since {known.ref}"))
        return known
    takes = list(_takes(speaker, recordings, synthesis, seed, emit))
    rows = _rows(speaker, takes, synthesis, seed, emit)
    summary = summarised(rows)
    name = voice.name if synthesis.speaker is None else f"{synthesis.speaker} of {voice.name}"
    title = f"{len(takes)} recordings converted to {name}"
    with store.stage("evaluation", voice.name) as staged:
        content = {"recordings": said, "summary": summary, "figures": rows}
        text = json.dumps(content, indent=1, allow_nan=False)
        (staged.directory / FIGURES).write_text(f"{text}\n", encoding="utf-8")
        (staged.directory / TABLE).write_text(markdown(title, summary, COLUMNS), encoding="utf-8")
        _draw(staged.directory, title, takes[:_SHOWN], summary, speaker.spec.mel)
        return staged.publish(
            fingerprint=key,
            parents=known_by,
            settings=settings,
            seed=seed,
            device=f"cpu, {torch.get_num_threads()} threads",
            tools={"torch": torch.__version__},
            metrics={"clips": len(takes), "not_measured": sorted(lacking), **summary},
            consent=voice.manifest.consent,
            licence=voice.manifest.licence,
        )


def _takes(
    speaker: Synthesizer,
    recordings: Sequence[tuple[Path, str]],
    synthesis: SynthesisSpec,
    seed: int,
    emit: Emit,
) -> Iterator[_Take]:
    emit(Began(_TASK, len(recordings), "recordings"))
    for number, (path, text) in enumerate(recordings):
        source = read_source(path, text, speaker.acoustic, synthesis.speaker, speaker.lexicon, None)
        pieces = convert(speaker, source, ConversionSpec(), synthesis, seed + number)
        yield _Take(source, Waveform(np.concatenate([piece.samples for piece in pieces]), speaker.rate))
        emit(Advanced(_TASK, number + 1))
    emit(Ended(_TASK))


def _rows(
    speaker: Synthesizer, takes: Sequence[_Take], synthesis: SynthesisSpec, seed: int, emit: Emit
) -> dict[str, list[Figures]]:
    """Figures of every recording, and of what became of it.

    What the voice says of itself is what it sounds like: the texts of the recordings, in its own way.
    """
    metrics = PerceptualMetrics()
    own = []
    if metrics.voice(takes[0].source.waveform) is not None:
        for take in takes:
            speech = speaker.say(take.source.text, seed=seed, speaker=synthesis.speaker)
            own.append(metrics.voice(Waveform(speech.samples, speech.rate)))
    voice = [one for one in own if one is not None]
    rows: dict[str, list[Figures]] = {column: [] for column in COLUMNS}
    emit(Began("measure", len(takes), "recordings"))
    for done, take in enumerate(takes, 1):
        both = (take.source.waveform, take.converted)
        normalised = " ".join(piece.passage.encoded.normalised for piece in take.source.pieces)
        figures = kept(metrics, *both, take.source.text, normalised)
        alike = likeness([metrics.voice(one) for one in both], voice)
        for column, some, more in zip(COLUMNS, figures, alike, strict=True):
            rows[column].append({**some, **more})
        emit(Advanced("measure", done))
    emit(Ended("measure"))
    return rows


def _draw(
    directory: Path, title: str, takes: Sequence[_Take], summary: dict[str, Figures], spec: MelSpec
) -> None:
    """The card, as a page and as a picture."""
    # Only here, because matplotlib takes long to load.
    from voxgrad import pictures  # noqa: PLC0415

    mels = [take.mels(spec) for take in takes]
    pictures.draw_compared(directory / PICTURE, mels, spec)
    sentences = []
    for take, pair in zip(takes, mels, strict=True):
        sounds = zip(COLUMNS, (take.source.waveform, take.converted), strict=True)
        shown = [(name, mp3(one.samples, one.rate), mel_picture(pair[name])) for name, one in sounds]
        sentences.append((take.source.text, shown))
    converted = summary["converted"]
    page = template(Path(__file__).parent.parent / "evaluation", "card.jinja").render(
        title=title,
        corner=f"mean of {title.partition(' converted')[0]}",
        columns=COLUMNS,
        verdict="",
        measures=[one for one in MEASURES if one.key in converted],
        summary=summary,
        sentences=sentences,
    )
    (directory / PAGE).write_text(page, encoding="utf-8")
