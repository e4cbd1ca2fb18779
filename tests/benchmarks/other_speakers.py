"""Embeds the other speakers that identity is measured against: the readers of LibriSpeech that no clone is tested on.

python tests/benchmarks/other_speakers.py ../shared/data/libri voxgrad/evaluation/other_speakers.npy
"""

import sys
from pathlib import Path

import numpy as np

from voxgrad.audio.io import read_audio
from voxgrad.evaluation.metrics import PerceptualMetrics

HELD_OUT = {"163", "289", "625", "1970", "3982", "4898", "5688", "5750", "5808", "6000"}


def main(folder: str, output: str) -> None:
    """Writes (readers, 256) in half precision."""
    recordings = [path for path in sorted(Path(folder).glob("*.flac")) if path.name.split("-")[0] not in HELD_OUT]
    metrics = PerceptualMetrics()
    np.save(output, np.stack([metrics.voice(read_audio(path)) for path in recordings]).astype(np.float16))


if __name__ == "__main__":
    main(*sys.argv[1:])
