"""Noise suppression on recordings with added noise, and reverberation times in made rooms.

pip install 'voxgrad[denoise]'
python tests/benchmarks/bench_rooms.py

Noise is white, pink, or babble: eight readers of LibriSpeech at once. The distance is the mean absolute difference of
log-mels to those of the recording without noise, in nepers, each clip's mean level taken off.
"""

import time
from pathlib import Path

import numpy as np
import torch

from voxgrad.audio.clean import denoise
from voxgrad.audio.io import Waveform, read_audio, resample
from voxgrad.audio.measures import decay_times, snr
from voxgrad.audio.mel import log_mel
from voxgrad.settings import MelSpec
from voxgrad.transcripts.find import find_transcripts

DATA = Path(__file__).parents[3] / "shared" / "data"
LEVELS = (5, 10, 20)
ROOMS = (0.0, 0.2, 0.4, 0.7)
CLIPS = 6


def main() -> None:
    """Prints a row for each noise and level, and one for each room."""
    torch.set_num_threads(1)
    draw = np.random.default_rng(0)
    spoken = [read_audio(entry.recording) for entry in find_transcripts(DATA / "lj").entries[:CLIPS]]
    readers = [entry.recording for entry in find_transcripts(DATA / "libri").entries[40:48]]
    babble = np.sum([np.resize(resample(read_audio(path), 22050).samples, 15 * 22050) for path in readers], 0)
    spent = seconds = 0.0
    for name in ("white", "pink", "babble"):
        for level in LEVELS:
            rows = []
            for clean in spoken:
                noisy = added(clean, noise(name, len(clean.samples), babble, draw), level)
                began = time.process_time()
                done = denoise(noisy)
                spent += time.process_time() - began
                seconds += clean.seconds
                rows.append([snr(noisy), snr(done), distance(noisy, clean), distance(done, clean), error(done, clean)])
            before, after, far, near, true = np.mean(rows, 0)
            print(
                f"{name} at {level} dB: estimated {before:.1f} -> {after:.1f} dB, true {level} -> {true:.1f} dB, "
                f"log-mel distance {far:.2f} -> {near:.2f}"
            )
    done = [denoise(clean) for clean in spoken]
    print(
        f"without noise: log-mel distance {np.mean([distance(*pair) for pair in zip(done, spoken, strict=True)]):.2f}"
    )
    print(f"{seconds / spent:.0f} times real time, of processor time")
    for t60 in ROOMS:
        times = [time for clean in spoken for time in decay_times(in_room(clean, t60, draw))]
        print(f"room of T60 {t60} s: median {np.median(times):.2f} s of {len(times)} falls in {CLIPS} clips")


def noise(name: str, count: int, babble: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    if name == "babble":
        return np.roll(babble, draw.integers(len(babble)))[:count]
    white = draw.normal(0, 1, count)
    if name == "white":
        return white
    spectrum = np.fft.rfft(white)
    return np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1), count)


def added(clean: Waveform, noise: np.ndarray, level: float) -> Waveform:
    gain = np.sqrt(np.square(clean.samples).mean() / np.square(noise).mean()) * 10 ** (-level / 20)
    return Waveform((clean.samples + gain * noise).astype(np.float32), clean.rate)


def in_room(clean: Waveform, t60: float, draw: np.random.Generator) -> Waveform:
    """Direct sound, and exponentially fading noise with half of its power."""
    if not t60:
        return clean
    times = np.arange(int(1.2 * t60 * clean.rate)) / clean.rate
    room = draw.normal(0, 1, len(times)) * 10 ** (-3 * times / t60)
    room *= np.sqrt(0.5 / np.square(room).sum())
    room[0] = 1.0
    size = 1 << (len(clean.samples) + len(room)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(clean.samples, size) * np.fft.rfft(room, size))
    return Waveform(wet[: len(clean.samples) + len(room)].astype(np.float32), clean.rate)


def distance(one: Waveform, other: Waveform) -> float:
    mels = [log_mel(torch.from_numpy(each.samples), MelSpec()) for each in (one, other)]
    return float(((mels[0] - mels[0].mean()) - (mels[1] - mels[1].mean())).abs().mean())


def error(one: Waveform, clean: Waveform) -> float:
    """True signal-to-noise ratio in dB."""
    return float(10 * np.log10(np.square(clean.samples).mean() / np.square(one.samples - clean.samples).mean()))


if __name__ == "__main__":
    main()
