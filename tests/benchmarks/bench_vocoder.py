"""How good and how fast a vocoder is, side by side with Griffin-Lim, on clips that it never trained on.

    pip install pesq
    voxgrad prepare ../shared/data/kathleen
    python tests/benchmarks/bench_vocoder.py VOCODER kathleen ../shared/data/lj [--clips N] [--picture IMAGE]

VOCODER is a reference, a folder that holds a vocoder, or griffinlim. The clips are one take of each held-out sentence
of the dataset, all recordings of the folder, and copies of both with their median pitch shifted to 100 Hz and their
formants to 0.85. Our Griffin-Lim undoes the mel with more care than others do, so theirs is shown too. Figures are
means over clips and their standard deviations; the tables are printed as Markdown. Set OMP_NUM_THREADS=1 where other
work shares the machine; speed is measured on one thread and on all in any case, and is worth reporting only from an
idle one.
"""

import argparse
import os
import random
import shlex
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import numpy as np
import torch
from pesq import pesq

from voxgrad import pictures
from voxgrad.audio.io import Waveform, read_audio, resample
from voxgrad.audio.mel import log_mel, mel_filters
from voxgrad.audio.praat import median_f0, to_praat
from voxgrad.settings import MelSpec
from voxgrad.store import Store
from voxgrad.training.dataset import Dataset
from voxgrad.training.vocoder_clips import shifted
from voxgrad.vocoder import phase
from voxgrad.vocoder.choice import GRIFFIN_LIM, mel_of
from voxgrad.vocoder.istft import ISTFTVocoder
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.registry import Vocoder, load, load_vocoder

LOW, FORMANTS = 100.0, 0.85
HELD_OUT = 0.1
PESQ_RATE = 16000
TIMED = 10
T = TypeVar("T")
HEADER = ("clips", "vocoder", "n", "PESQ-wb", "mel L1", "F0 error, cents", "voicing error, %")


@dataclass(frozen=True)
class Scores:
    """Of one copy."""

    pesq: float
    mel: float
    cents: float
    voicing: float


@dataclass(frozen=True)
class PlainGriffinLim:
    """Griffin-Lim as most tools have it: the mel is undone by a pseudo-inverse, and not as ours does it."""

    ours: GriffinLim

    @property
    def mel(self) -> MelSpec:
        return self.ours.mel

    def __call__(self, mel: torch.Tensor) -> torch.Tensor:
        with patch.object(phase, "mel_to_linear", pseudo_inverse):
            return self.ours(mel)


def pseudo_inverse(mel: torch.Tensor, spec: MelSpec) -> torch.Tensor:
    """Linear magnitudes, (..., n_fft // 2 + 1, frames), of a log-mel (..., n_mels, frames)."""
    filters = mel_filters(spec, mel.device, mel.dtype)
    return (torch.linalg.pinv(filters) @ mel.exp()).clamp(min=1e-10)


def main() -> None:
    arguments = parsed()
    vocoder = opened(arguments.vocoder)
    fast, fine = (GriffinLim(GriffinLimSpec(n_iter=n), vocoder.mel) for n in (32, 60))
    compared = {"Griffin-Lim, 60 iterations": fine, "the same, by pseudo-inverse": PlainGriffinLim(fine)}
    if arguments.vocoder != GRIFFIN_LIM:
        compared |= {f"{vocoder.name} {arguments.vocoder}": vocoder}
    if isinstance(vocoder, ISTFTVocoder):
        compared["phase reconstruction only"] = ISTFTVocoder.build(vocoder.spec, vocoder.mel)
    groups = collected(arguments, vocoder.mel)
    print(f"`python {shlex.join(sys.argv)}`\n")
    row(*HEADER)
    row(*["---"] * len(HEADER))
    for group, clips in groups.items():
        for name, one in compared.items():
            columns = zip(*(astuple(judged(clip, copied(one, clip))) for clip in clips), strict=True)
            pesqs, mels, cents, voicing = ([x for x in column if np.isfinite(x)] for column in columns)
            row(
                *(group, name, len(clips), spread(pesqs, 2), spread(mels, 3)),
                *(spread(cents, 1), spread([100 * share for share in voicing], 1)),
            )
    if arguments.picture is not None:
        shown = {name: one for name, one in compared.items() if isinstance(one, GriffinLim | ISTFTVocoder)}
        draw(arguments.picture, shown, groups[arguments.folder.name][0])
    every = [clip for clips in groups.values() for clip in clips]
    timed = {"Griffin-Lim, 60 iterations": fine, "Griffin-Lim, 32 iterations": fast}
    if arguments.vocoder != GRIFFIN_LIM:
        timed |= {f"{vocoder.name} {arguments.vocoder}": vocoder}
    compare_speed(timed, chosen(every, TIMED))
    if arguments.vocoder != GRIFFIN_LIM:
        compare_precision(vocoder, chosen(every, 5 * TIMED))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("vocoder")
    parser.add_argument("dataset")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, help="of each source; default: all")
    parser.add_argument("--picture", type=Path, metavar="IMAGE", help="draw spectrograms of one clip")
    return parser.parse_args()


def opened(ref: str) -> Vocoder:
    if ref == GRIFFIN_LIM:
        return load_vocoder(None, MelSpec(), "nobody's")
    if Path(ref).is_dir():
        return load(Path(ref))
    artifact = Store.open().find(ref, "vocoder")
    return load_vocoder(artifact, mel_of(artifact), "its own")


def collected(arguments: argparse.Namespace, mel: MelSpec) -> dict[str, list[Waveform]]:
    """The three groups, at the vocoder's rate and in whole frames."""
    dataset = Dataset.open(Store.open().find(arguments.dataset, "dataset"))
    _, held_out = dataset.corpus.divide(HELD_OUT)
    one_take = {clip.normalised: clip for clip in reversed(held_out.clips)}
    sentences = [dataset.artifact.path(f"audio/{clip.id}.flac") for clip in one_take.values()]
    recordings = [path for path in arguments.folder.rglob("*") if path.suffix in {".wav", ".flac"}]
    sources = [chosen(sorted(paths), arguments.clips) for paths in (sentences, recordings)]
    known, strange = ([whole(resample(read_audio(path), mel.sample_rate), mel) for path in s] for s in sources)
    return {
        f"{arguments.dataset}, held out": known,
        arguments.folder.name: strange,
        f"both, shifted to {LOW:.0f} Hz": [low for clip in known + strange for low in lowered(clip)],
    }


def chosen(values: list[T], count: int | None) -> list[T]:
    return values if count is None else random.Random(0).sample(values, min(count, len(values)))


def whole(waveform: Waveform, mel: MelSpec) -> Waveform:
    samples = len(waveform.samples) // mel.hop_length * mel.hop_length
    return Waveform(waveform.samples[:samples], waveform.rate)


def lowered(clip: Waveform) -> Iterator[Waveform]:
    """A clip as a low voice; nothing of one without a voice."""
    height = median_f0(clip)
    if height is not None:
        low = shifted(clip, LOW / height, FORMANTS).samples
        yield Waveform(low / np.float32(max(1.0, np.abs(low).max() / 0.99)), clip.rate)


def copied(vocoder: Vocoder, clip: Waveform) -> Waveform:
    return Waveform(vocoder(mel_of_clip(clip, vocoder.mel)[None])[0].float().numpy(), clip.rate)


def mel_of_clip(clip: Waveform, spec: MelSpec) -> torch.Tensor:
    return log_mel(torch.from_numpy(clip.samples), spec)


def judged(clip: Waveform, copy: Waveform) -> Scores:
    heights, theirs = f0(clip), f0(copy)
    both = (heights > 0) & (theirs > 0)
    cents = np.abs(1200 * np.log2(theirs[both] / heights[both]))
    return Scores(
        pesq(PESQ_RATE, *(resample(one, PESQ_RATE).samples for one in (clip, copy)), "wb"),
        mel_distance(clip, copy),
        float(np.median(cents)) if both.any() else float("nan"),
        float(np.mean((heights > 0) != (theirs > 0))),
    )


def mel_distance(clip: Waveform, copy: Waveform) -> float:
    # Distances are taken in the vocoders' common mel, which has the clips' rate.
    spec = MelSpec(sample_rate=clip.rate)
    return float((mel_of_clip(clip, spec) - mel_of_clip(copy, spec)).abs().mean())


def f0(waveform: Waveform) -> np.ndarray:
    """Hz in steps of 10 ms, 0 where unvoiced; by Praat at 16 kHz."""
    pitch = to_praat(waveform).to_pitch(time_step=0.01, pitch_floor=60, pitch_ceiling=500)
    return pitch.selected_array["frequency"]


def compare_speed(vocoders: dict[str, Vocoder], clips: list[Waveform]) -> None:
    """In turns, so that whatever else the machine does falls on all alike."""
    print(f"\nReal-time factor, median of {len(clips)} clips in turns, and the range:\n")
    row("vocoder", "threads", "real-time factor", "range")
    row(*["---"] * 4)
    before = torch.get_num_threads()
    for threads in sorted({1, os.cpu_count()}):
        torch.set_num_threads(threads)
        factors = {name: [] for name in vocoders}
        for vocoder in vocoders.values():
            copied(vocoder, clips[0])
        for clip in clips:
            for name, vocoder in vocoders.items():
                mel = mel_of_clip(clip, vocoder.mel)[None]
                started = time.perf_counter()
                vocoder(mel)
                factors[name].append((time.perf_counter() - started) / clip.seconds)
        for name, values in factors.items():
            extent = f"{min(values):.4f} to {max(values):.4f}"
            row(name, threads, f"{statistics.median(values):.4f}", extent)
    torch.set_num_threads(before)


def compare_precision(vocoder: Vocoder, clips: list[Waveform]) -> None:
    means = []
    for context in (nullcontext(), torch.autocast("cpu", torch.bfloat16)):
        distances = []
        for clip in clips:
            mel = mel_of_clip(clip, vocoder.mel)[None]
            with context:
                sound = vocoder(mel)[0].float().numpy()
            distances.append(mel_distance(clip, Waveform(sound, clip.rate)))
        means.append(statistics.mean(distances))
    full, half = means
    print(f"\nMel L1 of {len(clips)} clips: {full:.4f} in float32, {half:.4f} in bfloat16 ({half / full - 1:+.2%})")


def draw(path: Path, vocoders: Mapping[str, Vocoder], clip: Waveform) -> None:
    """Two seconds up to 5 kHz, where harmonics show: the recording, then its copies."""
    sounds = {"recording": clip} | {name: copied(one, clip) for name, one in vocoders.items()}
    window = torch.hann_window(1024)
    shown = {}
    for name, sound in sounds.items():
        samples = torch.from_numpy(sound.samples[: 2 * clip.rate])
        power = torch.stft(samples, 1024, 128, window=window, return_complex=True).abs().square()
        decibels = 10 * (power / power.max()).clamp_min(1e-9).log10()
        shown[name] = decibels[: round(5000 * 1024 / clip.rate)].numpy()
    path.write_text(pictures.compared(shown, "Two seconds, up to 5 kHz"), encoding="utf-8")


def spread(values: list[float], digits: int) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {deviation:.{digits}f}"


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
