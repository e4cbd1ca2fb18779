"""How well recordings of strangers are converted: words, speaker, melody, word borders, and what the parts give.

    pip install 'voxgrad[eval,whisper]'
    python tests/benchmarks/bench_convert.py RECORDINGS --voice base/english --speaker kathleen --whisper DIR
        --like DIR [--errors] [--no-timing] [--melody X] [--no-dynamics]

RECORDINGS is a folder of audio files with a .txt beside each; --like one of the target speaker's own. Whisper is a
model converted for faster-whisper; numbers count as words. Similarity is the cosine of Resemblyzer's embeddings: to the
mean of 20 recordings of the target, and to the recording that was converted. Borders of words are pocketsphinx's.
"""

import argparse
import statistics
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from bench_speech import REFERENCES, heard, plain, similarity
from numpy.typing import NDArray

from voxgrad.audio.io import Waveform, read_audio
from voxgrad.audio.praat import f0_track
from voxgrad.conversion.convert import conversion_job, convert, read_source
from voxgrad.evaluation.metrics import ForcedAligner, PerceptualMetrics, edits
from voxgrad.settings import ConversionSpec, DeliverySpec, SynthesisSpec
from voxgrad.store import Store
from voxgrad.text.lexicon import NONE
from voxgrad.text.normalize import normalize
from voxgrad.transcripts.beside import script_beside
from voxgrad.voice.load import load_voice

_STEP = 0.01
_NEAR = 0.04
"""Seconds that a border between words may be off by."""
_FEWEST = 3
"""Values that a correlation is taken of."""


_SPHINX_FRAMES = 100  # a second


def word_times(aligner: ForcedAligner, waveform: Waveform, text: str) -> NDArray[np.float64] | None:
    """Seconds at which every word begins and ends, (words, 2); None where the alignment did not reach all."""
    expected, spoken = aligner.aligned(waveform, text)
    if len(spoken) != len(expected):
        return None
    frames = [(int(word.start_frame), int(word.end_frame) + 1) for word in spoken]
    return np.array(frames, np.float64) / _SPHINX_FRAMES


def main() -> None:
    """Prints one row of figures, and the recordings of which words were misheard with --errors."""
    arguments = parsed()
    torch.set_num_threads(1)
    kept = ConversionSpec(timing=arguments.timing, melody=arguments.melody, dynamics=arguments.dynamics)
    metrics = PerceptualMetrics()
    whisper = import_module("faster_whisper").WhisperModel(
        str(arguments.whisper), device="cpu", compute_type="int8", cpu_threads=1
    )
    files = sorted(path for path in arguments.like.rglob("*") if path.suffix in {".wav", ".flac"})
    target = [metrics.voice(read_audio(path)) for path in files[:REFERENCES]]
    voice = load_voice(Store.open(arguments.home), arguments.voice, engine="torch")
    engine = voice.engine
    synthesis = SynthesisSpec(speaker=arguments.speaker)
    figures: dict[str, list[float]] = {}
    for seed, path in enumerate(sorted(arguments.recordings.glob("*.wav"))):
        text = script_beside(path) or ""
        source = read_source(path, text, engine.acoustic, arguments.speaker, NONE, None)
        job = conversion_job(voice, text, synthesis, DeliverySpec(), seed)
        pieces = [piece.samples for piece in convert(engine, source, kept, job)]
        converted = Waveform(np.concatenate(pieces), engine.rate)
        words = plain(normalize(text))
        found = [plain(normalize(heard(whisper, one))) for one in (source.waveform, converted)]
        missed = [edits(words, one) for one in found]
        if arguments.errors:
            print(path.name, missed, len(words), " ".join(found[1]))
        before, after = (word_times(metrics.aligner, one, text) for one in (source.waveform, converted))
        embedded = [metrics.voice(one) for one in (source.waveform, converted)]
        row = {
            "words": float(len(words)),
            "missed in source": float(missed[0]),
            "missed": float(missed[1]),
            "similarity to target": similarity(embedded[1], target),
            "to source": similarity(embedded[1], embedded[:1]),
            "target to source": similarity(embedded[0], target),
            "F0 correlation": f0_correlation(source.waveform, converted),
            **timing_kept(before, after),
        }
        for name, value in row.items():
            if value is not None:
                figures.setdefault(name, []).append(value)
    total = sum(figures["words"])
    wrong, usual = (sum(figures[name]) / total for name in ("missed", "missed in source"))
    print(f"word error {wrong:.3f}, of the recordings {usual:.3f}")
    for name, values in list(figures.items())[3:]:
        print(f"{name} {statistics.fmean(values):.3f}, lowest {min(values):.3f}, of {len(values)} recordings")


def timing_kept(before: NDArray[np.float64] | None, after: NDArray[np.float64] | None) -> dict[str, float | None]:
    """Correlation of the durations of words, and the share of their borders that lie near each other.

    Args:
        before: seconds at which the words of the recording begin and end, (words, 2).
        after: of what became of it.
    """
    if before is None or after is None:
        return {}
    return {
        "duration_correlation": _correlation(np.ptp(before, 1), np.ptp(after, 1)),
        "near_borders": float((np.abs(before - after) <= _NEAR).mean()),
    }


def f0_correlation(source: Waveform, converted: Waveform) -> float | None:
    """Of ln F0 where both are voiced, every 10 ms; None where they hardly ever are."""
    times = np.arange(0.0, min(source.seconds, converted.seconds), _STEP)
    one, other = f0_track(source, times), f0_track(converted, times)
    both = (one > 0) & (other > 0)
    return _correlation(np.log(one[both]), np.log(other[both]))


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    if len(one) < _FEWEST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--voice", required=True)
    parser.add_argument("--speaker")
    parser.add_argument("--whisper", type=Path, required=True)
    parser.add_argument("--like", type=Path, required=True)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--timing", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--dynamics", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--melody", type=float, default=1.0)
    parser.add_argument("--errors", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
