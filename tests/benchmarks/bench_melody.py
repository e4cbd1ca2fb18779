"""How near the pitch and the durations that a voice predicts come to recordings of sentences that it has not learnt.

    python tests/benchmarks/bench_melody.py DATASET [--voice base/english] [--speaker NAME]

DATASET holds recordings of the voice's speaker. The pitch is predicted under the recordings' durations, so that frames
can be compared. Printed are means over clips: the correlation of ln F0 where both are voiced, the deviation of the
predicted relative to the recorded, the share of frames that are voiced in one and not in the other, and the correlation
of the logarithms of the phones' durations.
"""

import argparse
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.model.diffusion import length_mask
from voxgrad.store import Store
from voxgrad.training.alignment import align_corpus
from voxgrad.training.dataset import Alignment, Clip, Corpus, Dataset, collate_crops, measure_pitch
from voxgrad.training.losses import frame_mean

CPU = torch.device("cpu")
LEAST_VOICED = 20  # frames; fewer have no melody


@torch.inference_mode()
def main() -> None:
    """Measures and prints a row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("--voice", default="base/english")
    parser.add_argument("--speaker")
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    store = Store.open(given.home)
    acoustic = load_acoustic_model(store.find(given.voice))
    acoustic.model.eval()
    row = acoustic.row if given.speaker is None else acoustic.spec.speakers[given.speaker]
    corpus = measure_pitch(Dataset.open(store.find(given.dataset, "dataset"))).corpus
    aligned = align_corpus(acoustic.model, corpus, dict.fromkeys(corpus.speakers, row), CPU)
    rows = [measured(acoustic, corpus, clip, aligned, row) for clip in corpus.clips]
    pitch, spread, voicing, durations = np.nanmean(rows, axis=0)
    print(
        f"{given.voice}, {len(rows)} clips: pitch correlation {pitch:.3f}  relative deviation {spread:.2f}  "
        f"voicing differs {voicing:.3f}  duration correlation {durations:.3f}"
    )


def measured(
    acoustic: AcousticModel, corpus: Corpus, clip: Clip, aligned: Mapping[str, Alignment], row: int
) -> tuple[float, float, float, float]:
    """The figures of one clip; NaN where it has too little voice."""
    model, prior = acoustic.model, acoustic.model.frame_prior
    if prior is None:
        raise SystemExit(f"{acoustic.spec.voice} predicts no pitch")
    rows = torch.tensor([row])
    crops = collate_crops(corpus, [clip], aligned, None, {clip.speaker: row}, torch.Generator())
    _, inputs, recorded = frame_mean(model, crops)
    mask = length_mask(crops.lengths, inputs.shape[1]).transpose(1, 2)
    found = prior.pitch(*prior.predict_pitch(inputs, mask), rows)
    voiced, is_voiced = (pitch.voiced[0, : clip.frames] > 0 for pitch in (found, recorded))
    both = voiced & is_voiced
    ours, theirs = (pitch.log_f0[0, : clip.frames][both].numpy() for pitch in (found, recorded))
    said = model.encode(torch.as_tensor(clip.tokens)[None].long(), torch.tensor([len(clip.tokens)]), rows)
    frames = said.logw[0].exp(), aligned[clip.id].durations
    enough = len(ours) >= LEAST_VOICED
    by_phone = [phones(part, blanks=acoustic.spec.text.add_blank) for part in frames]
    return (
        float(np.corrcoef(ours, theirs)[0, 1]) if enough else math.nan,
        float(ours.std() / theirs.std()) if enough else math.nan,
        float((voiced != is_voiced).float().mean()),
        float(np.corrcoef(np.log(by_phone))[0, 1]),
    )


def phones(frames: torch.Tensor, *, blanks: bool) -> np.ndarray:
    """Durations with every blank counted to the token after it, but the last; where a blank ends is arbitrary."""
    values = frames.double().numpy()
    return values[0:-1:2] + values[1::2] if blanks else values


if __name__ == "__main__":
    main()
