"""How good a base or voice is, on sentences that it never trained on.

    pip install 'voxgrad[eval]'
    python tests/benchmarks/bench_voice.py VOICE DATASET [COUNT [VOCODER [LIKE]]]

The dataset must be the one that the voice, or the base it was made of, was trained on, so that its held-out sentences
are known. Three rows are compared: the voice, the recordings, and the recordings' own mels, both mels through the
vocoder that `say` would use. LIKE is the dataset of a cloned speaker: similarity is then to its recordings, and the
rows of recordings are of it, with sentences of their own. VOCODER - is the default.
"""

import random
import statistics
import sys
import time
from collections import Counter

import torch
from bench_speech import similarity

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.audio.io import Waveform, read_audio
from voxgrad.evaluation.metrics import PerceptualMetrics, words
from voxgrad.events import ignore
from voxgrad.preparation.speech_recognition import Recogniser
from voxgrad.settings import SynthesisSpec
from voxgrad.store import Store
from voxgrad.text.tokens import encode
from voxgrad.training.dataset import Dataset
from voxgrad.vocoder.choice import choose_vocoder
from voxgrad.vocoder.registry import load_vocoder

REFERENCE_CLIPS = 20


def main(voice: str, dataset: str, count: int, vocoder_ref: str | None, like: str | None) -> None:
    store, metrics_by_models = Store.open(), PerceptualMetrics(Recogniser("pocketsphinx"))
    acoustic, data = load_acoustic_model(store.find(voice)), Dataset.open(store.find(dataset, "dataset"))
    training, held_out = data.corpus.divide(0.1)
    one_take = {clip.normalised: clip for clip in reversed(held_out.clips)}
    clips = random.Random(0).sample(sorted(one_take.values(), key=lambda clip: clip.id), min(count, len(one_take)))

    recorded, recordings, others = data, clips, list(training.clips)
    if like is not None:
        recorded = Dataset.open(store.find(like, "dataset"))
        recordings = others = list(recorded.corpus.clips)

    def recording(clip):
        return read_audio(recorded.artifact.path(f"audio/{clip.id}.flac"))

    some = random.Random(1).sample(others, min(REFERENCE_CLIPS, len(others)))
    known = [metrics_by_models.voice(recording(clip)) for clip in some]
    vocoder = load_vocoder(choose_vocoder(store, vocoder_ref, acoustic.spec.mel, ignore), acoustic.spec.mel, voice)
    names = ("voice", "recordings", f"recordings through {vocoder.name}")
    rows, said = {name: [] for name in names}, Counter()
    lengths, factors = [], []

    def heard(name, clip, waveform):
        said[name] += len(words(clip.normalised))
        rows[name].append(
            (
                metrics_by_models.words_misheard(waveform, clip.normalised),
                metrics_by_models.aligner.words_wrong(waveform, clip.text),
                similarity(metrics_by_models.voice(waveform), known),
                metrics_by_models.quality(waveform),
            )
        )

    def sounding(mel):
        return Waveform(vocoder(mel)[0].numpy(), acoustic.spec.mel.sample_rate)

    for seed, clip in enumerate(clips):
        spoken, work = spoken_clip(acoustic, clip.text, seed)
        seconds = int(spoken.lengths) * acoustic.spec.mel.seconds_per_frame
        factors.append(work / seconds)
        lengths.append(seconds / clip.seconds)
        heard(names[0], clip, sounding(spoken.mel.clamp(*acoustic.spec.mel.range)))
        if seed < len(recordings):
            real = recordings[seed]
            heard(names[1], real, recording(real))
            heard(names[2], real, sounding(recorded.corpus.mel(real)[None]))
    report(voice, len(clips), rows, said, lengths, factors)


def spoken_clip(acoustic, text, seed):
    """A synthesis, and the seconds that it took."""
    tokens = torch.tensor([encode(text, acoustic.spec.text).tokens])
    started = time.perf_counter()
    generator = torch.Generator().manual_seed(seed)
    spoken = acoustic.model.synthesize(
        tokens,
        torch.tensor([tokens.shape[1]]),
        SynthesisSpec(),
        generator,
        torch.tensor([acoustic.row]),
        acoustic.spec.duration_scale,
    )
    return spoken, time.perf_counter() - started


def report(voice, count, rows, said, lengths, factors) -> None:
    print(f"{voice}, {count} held-out sentences, {said['voice']} words")
    for name, figures in rows.items():
        misheard, wrong, alike, quality = zip(*figures, strict=True)
        print(
            f"  {name:32} word error {sum(misheard) / said[name]:.3f}  wrong {sum(wrong) / said[name]:.3f}  "
            f"similarity {statistics.mean(alike):.3f} ± {statistics.stdev(alike):.3f}  "
            f"DNSMOS {statistics.mean(quality):.2f} ± {statistics.stdev(quality):.2f}"
        )
    print(f"  length against the recording: {statistics.mean(lengths):.3f} ± {statistics.stdev(lengths):.3f}")
    print(f"  text to mel, {torch.get_num_threads()} threads: real-time factor {statistics.median(factors):.3f}")


if __name__ == "__main__":
    with torch.inference_mode():
        wanted = dict(enumerate(sys.argv))
        named = wanted.get(4, "-")
        main(sys.argv[1], sys.argv[2], int(wanted.get(3, 60)), None if named == "-" else named, wanted.get(5))
