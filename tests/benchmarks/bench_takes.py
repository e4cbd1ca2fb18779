"""How surely a take is told from one that is read wrong: how many of each kind are refused for it.

    python tests/benchmarks/bench_takes.py FOLDER [--takes N] [--language CODE]

FOLDER holds recordings with their texts. Wrong takes are: the recording with the text of like length of another one;
and the recording with a word cut out, or said twice, where the phone classifier finds it.
"""

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile
import torch

from voxgrad.audio.clean import cut_clip, open_recording
from voxgrad.audio.io import Samples
from voxgrad.audio.mel import log_mel
from voxgrad.preparation import alignment
from voxgrad.preparation.phones import phones_of
from voxgrad.preparation.take_checks import check_take
from voxgrad.presets import load_prepare_preset
from voxgrad.text.lexicon import NONE
from voxgrad.transcripts.find import find_transcripts

PRESET = load_prepare_preset("prepare")
KINDS = ("right", "another text", "a word left out", "a word twice")
LONGEST = 6.0  # seconds; prompts take 2 to 5
CROSSFADE = 110  # samples


def words_of(samples: Samples, text: str, language: str) -> list[tuple[int, int]]:
    """First sample of every word, and the sample after it."""
    mel = log_mel(torch.from_numpy(samples), PRESET.audio.mel)
    phones, words = alignment._graph(text, NONE, language)
    values = alignment.phone_likelihoods(mel)[:, phones]
    before, after = alignment._passes(values, phones == 0)
    best = (before[1:, 1:] + after[:-1, :-1] - values).argmax(1)  # the state of every frame
    hop = PRESET.audio.mel.hop_length * alignment.STRIDE
    found = [np.flatnonzero((best >= start) & (best < stop)) for _, start, stop in words]
    return [(int(frames[0]) * hop, int(frames[-1] + 1) * hop) for frames in found if len(frames) > 3]


def joined(samples: Samples, *spans: slice) -> Samples:
    """Parts of a recording, one after another, faded where they meet."""
    ramp = np.linspace(0, 1, CROSSFADE, dtype=np.float32)
    parts = []
    for span in spans:
        part = samples[span].copy()
        part[:CROSSFADE] *= ramp[: len(part)]
        part[-CROSSFADE:] *= ramp[: len(part)][::-1]
        parts.append(part)
    return np.concatenate(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--takes", type=int, default=60)
    parser.add_argument("--language", default="en")
    options = parser.parse_args()
    language = options.language
    torch.set_num_threads(1)
    drawn = random.Random(0)
    entries = list(find_transcripts(options.folder).entries)
    drawn.shuffle(entries)
    clips = []
    for entry in entries:
        opened = open_recording(entry.recording, PRESET.audio)
        if len(clips) < options.takes and opened.waveform.seconds < LONGEST:
            clip = cut_clip(opened, (0.0, opened.waveform.seconds), PRESET.audio, entry.recording.name)
            clips.append((opened.waveform, clip.waveform.samples, entry.text))
    texts = [text for _, _, text in clips]
    refused: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for whole, samples, text in clips:
        length = len(phones_of(text, language))
        others = [other for other in dict.fromkeys(texts) if other != text]
        wrong = min(others, key=lambda other: abs(len(phones_of(other, language)) - length))
        takes = {"right": (samples, text), "another text": (samples, wrong)}
        words = words_of(samples, text, language)
        if len(words) > 2:
            start, stop = drawn.choice(words[1:-1])
            takes["a word left out"] = joined(samples, slice(0, start), slice(stop, None)), text
            takes["a word twice"] = joined(samples, slice(0, stop), slice(start, None)), text
        for kind, (said, shown) in takes.items():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "take.wav"
                soundfile.write(path, np.pad(said, whole.rate // 2), whole.rate)
                confusable = [other for other in others if other != shown]
                problems = check_take(path, shown, confusable, PRESET, language).problems
            codes = {one.code for one in problems} & {"text", "left_out", "repeated", "short", "long"}
            refused[kind].update(codes or {"kept"})
    for kind, found in refused.items():
        count = found.total()
        print(f"{kind}: {count - found['kept']} of {count} refused ({dict(found)})")


if __name__ == "__main__":
    main()
