"""Two voices in one folder: how far apart the clusters of one voice and of two lie.

python tests/benchmarks/bench_speakers.py

MixedVoices with at least twelve clips in ../shared/data; of two, twenty clips of one and four to twenty of the other.
"""

import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from voxgrad.audio.clean import clean
from voxgrad.audio.mel import log_mel
from voxgrad.preparation.quality_checks import split
from voxgrad.settings import AudioSpec
from voxgrad.transcripts.find import find_transcripts

DATA = Path(__file__).parents[3] / "shared" / "data"
CLIPS, PAIRS, BOUND = 20, 200, 10.0
Clips = list[tuple[np.ndarray, float | None]]


def main() -> None:
    """Prints the distances of single voices, and of pairs of one sex."""
    torch.set_num_threads(1)
    draw = random.Random(0)
    voices: dict[str, list] = defaultdict(list)
    for folder in ("kokoro", "kathleen", "lj"):
        for entry in find_transcripts(DATA / folder).entries:
            voices[f"{folder} {entry.speaker}"].append(entry.recording)
    read = {name: clips(draw.sample(paths, min(len(paths), 60))) for name, paths in voices.items() if len(paths) >= 12}
    single = [split(*zip(*known, strict=True))[0] for known in read.values()]
    single += [split(*zip(*draw.sample(known, 12), strict=True))[0] for known in read.values()]
    print(f"{len(read)} voices, single: distance up to {max(single):.1f}, median {np.median(single):.1f}")
    high = {name: np.nanmedian([one[1] for one in known if one[1]]) > 155 for name, known in read.items()}
    for share in (0.5, 0.2):
        found = []
        while len(found) < PAIRS:
            one, other = draw.sample(list(read), 2)
            if high[one] == high[other]:
                first = draw.sample(read[one], min(CLIPS, len(read[one])))
                count = max(2, round(len(first) * share / (1 - share)))
                found.append(
                    split(*zip(*first, *draw.sample(read[other], min(count, len(read[other]))), strict=True))[0]
                )
        told = np.mean(np.array(found) > BOUND)
        low = np.percentile(found, 5)
        print(f"two of one sex, {share:.0%} of the second: 95 % beyond {low:.1f}; {told:.3f} beyond {BOUND}")


def clips(paths: list[Path]) -> Clips:
    """Mel and pitch of every recording."""
    found = []
    for path in paths:
        cleaned = clean(path, AudioSpec())
        mel = log_mel(torch.from_numpy(cleaned.waveform.samples), AudioSpec().mel).numpy()
        found.append((mel, cleaned.measures.f0_hz))
    return found


if __name__ == "__main__":
    main()
