"""A recording, spoken again by a voice: piece by piece, each at its own time."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from voxgrad.audio.io import Samples, Waveform
from voxgrad.audio.praat import bend
from voxgrad.conversion.source import SourcePiece, SourceSpeech, levels, pitch_of
from voxgrad.model.frame_prior import frame_positions
from voxgrad.model.gradtts import Performance
from voxgrad.settings import ConversionSpec, DeliverySpec, MelSpec, SynthesisSpec
from voxgrad.voice.metadata import Recipe, Recording
from voxgrad.voice.pauses import faded
from voxgrad.voice.speak import SpokenPassage, piece_seed, silence_at_end
from voxgrad.voice.timings import timed
from voxgrad.voice.torch_engine import TorchEngine
from voxgrad.voice.voice import Cast, SpeechJob, Voice

_DELIVERY: Final = DeliverySpec(edge_silence=None)
_SMOOTHED: Final = 13
"""Frames over which levels are averaged: 150 ms, a syllable."""
_QUIETEST: Final = -35.0
"""dB below the loudest frame, where levels are taken for silence."""
_MOST_GAIN: Final = 12.0
"""dB up; down there is no limit but silence."""


def convert(
    engine: TorchEngine, source: SourceSpeech, kept: ConversionSpec, synthesis: SynthesisSpec, seed: int
) -> Iterator[SpokenPassage]:
    """Speak a recording again; what lies between its pieces becomes silence of the same length.

    Yields:
        A passage for every piece, with the silence before it, and the silence at the end.
    """
    rate, hop, written, stop = engine.rate, engine.spec.mel.hop_length, 0, 0
    for number, piece in enumerate(source.pieces):
        gap = max(piece.start - stop, 0)
        samples, mel, durations = _spoken(engine, source, piece, kept, synthesis, piece_seed(seed, number))
        edges = np.cumsum([0, *durations]) * hop / rate
        timing = timed(piece.passage, edges.tolist(), (written + gap) / rate)
        yield SpokenPassage(piece.passage, np.pad(samples, (gap, 0)), mel, durations, timing)
        written += gap + len(samples)
        stop = piece.start + len(piece.log_f0) * hop
    left = max(len(source.waveform.samples) - stop, 0)
    yield silence_at_end(left, written + left, rate)


def conversion_recipe(voice: Voice, text: str, recording: Recording, synthesis: SynthesisSpec, seed: int) -> Recipe:
    """All that is needed to convert a recording again, but for the recording."""
    job = SpeechJob(text, Cast(voice), synthesis, _DELIVERY, seed)
    return job.recipe.model_copy(update={"recording": recording})


def _spoken(
    engine: TorchEngine,
    source: SourceSpeech,
    piece: SourcePiece,
    kept: ConversionSpec,
    synthesis: SynthesisSpec,
    seed: int,
) -> tuple[Samples, Samples, tuple[int, ...]]:
    """Samples, mel and durations of one piece."""
    spec = engine.spec.mel
    voiced = torch.from_numpy(piece.log_f0 > 0)
    performance = Performance(piece.durations, source.scores(piece), voiced, kept.timing, kept.melody)
    generator = torch.Generator().manual_seed(seed)
    mel, durations = engine.mel(piece.passage.encoded.tokens, synthesis, generator, performance=performance)
    if kept.timing:  # without the frames that fill the network's last block
        mel, durations = mel[:, : len(piece.log_f0)], tuple(piece.durations.tolist())
    samples = engine.vocode(mel, _DELIVERY)
    at = performance.source_frames(*frame_positions(torch.tensor([durations]), mel.shape[1]))[0].numpy()
    if kept.melody > 0 and engine.acoustic.model.frame_prior is None:
        samples = _bent(samples, spec, performance, at)
    if kept.loudness:
        samples = samples * _gains(levels(samples, spec), piece.levels[at], spec.hop_length)
    return faded(engine.deliver(samples, _DELIVERY), engine.rate), mel.numpy(), durations


def _bent(samples: Samples, spec: MelSpec, performance: Performance, at: NDArray[np.int64]) -> Samples:
    """The recording's pitch put on by Praat, for models that are told none: around the median that they speak with."""
    own = pitch_of(Waveform(samples, spec.sample_rate), spec)
    both = (own > 0) & performance.voiced.numpy()[at]
    if not both.any():
        return samples
    low, median, high = np.percentile(own[own > 0], [16, 50, 84])
    wanted = median + performance.scores.numpy()[at] * (high - low) / 2
    semitones = performance.melody * (wanted - own) * 12 / np.log(2)
    times = (np.arange(len(own)) + 0.5) * spec.seconds_per_frame
    return bend(Waveform(samples, spec.sample_rate), times[both], semitones[both]).samples


def _gains(own: NDArray[np.float64], wanted: NDArray[np.float64], hop: int) -> Samples:
    """Factors of the samples that bring smoothed levels (frames,) to others: (frames · hop,)."""
    decibels = np.minimum(_smooth(wanted) - _smooth(own), _MOST_GAIN)
    centres = (np.arange(len(own)) + 0.5) * hop
    return (10 ** (np.interp(np.arange(len(own) * hop), centres, decibels) / 20)).astype(np.float32)


def _smooth(decibels: NDArray[np.float64]) -> NDArray[np.float64]:
    audible = np.maximum(decibels, decibels.max() + _QUIETEST)
    padded = np.pad(audible, (_SMOOTHED // 2, _SMOOTHED // 2), mode="edge")
    return np.convolve(padded, np.full(_SMOOTHED, 1 / _SMOOTHED), "valid")
