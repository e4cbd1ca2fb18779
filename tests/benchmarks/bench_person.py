"""How near a base comes to a person whom it never heard, and what brings it nearer.

    pip install 'voxgrad[eval]'
    python tests/benchmarks/bench_person.py SPEECH WORK --people lj,163 --arms none,full,low-rank [--judges]
    python tests/benchmarks/bench_person.py SPEECH WORK --people lj,163 --arms none,full --base adversarial

SPEECH holds `lj`, `libri` and `kokoro`, folders of recordings with a metadata.csv. WORK keeps what was computed: every
row in results.jsonl, and the bases of `bench_person_base.py`. One thread; seconds are the processor's. The base's
embedding, pitch and bands are fitted as by `finetune`; then the decoder learns, in as many steps for every arm.
Clips of the person that were not learnt from are spoken under their own durations and pitch:

    mean, l1    mean absolute distance of the frame-level mean and of the generated log-mel to the recorded
    variance    of what a blur of 2 bands and 3 frames takes away, as a share of the recordings'
    similarity  of the centroids of Resemblyzer's embeddings of the clone and of the same sentences recorded
    identity    to what was learnt from: 1 as similar as these recordings are, 0 as the most similar of 60 readers
"""

import argparse
import copy
import json
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from person_adaptation import STEPS, Person, adapt, adapt_few_steps, condition_of
from person_speech import AUDIO, CPU, RATE, Recordings, base, known_speech, recordings_of
from reference_attention import ReferenceAttention, attend, piece
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel
from voxgrad.audio.io import Samples, Waveform
from voxgrad.evaluation.metrics import PerceptualMetrics
from voxgrad.events import ignore
from voxgrad.model.gradtts import GradTTS
from voxgrad.model.postfilter import filtered
from voxgrad.settings import AcousticSpec, SynthesisSpec
from voxgrad.store import Store
from voxgrad.training import speaker_adaptation
from voxgrad.training.alignment import align_corpus
from voxgrad.training.dataset import Crops, collate_crops, generator_for
from voxgrad.vocoder.choice import choose_vocoder
from voxgrad.vocoder.registry import load_vocoder

ARMS: dict[str, dict] = {
    "none": {"steps": 0},
    "full": {},
    "mean": {"parts": ("mean",)},
    "decay": {"decay": 10.0},
    "low-rank": {"rank": 8, "rate": 2e-3},
    "jitter": {"jitter": True},
    "few-steps": {"after": "distance"},
    "few-steps-mean": {"after": "distance", "also": ("mean",)},
    "energy": {"after": "energy"},
    "adversarial": {"after": "own"},
    "adversarial-known": {"after": "known"},
}


def begun(given: argparse.Namespace, name: str) -> Person:
    """Embedding, pitch and bands; the encoder does not learn."""
    cached = given.work / f"{name}.pt"
    if cached.exists():
        return Person(*torch.load(cached, weights_only=False))
    began = time.process_time()
    learnt, judged = recordings_of(given.speech, name)
    corpus, model = Recordings(learnt), copy.deepcopy(base().model)
    shortest = min((clip for clip in corpus.clips if clip.seconds > 3), key=lambda clip: clip.frames)
    row = speaker_adaptation.nearest_row(model, corpus.with_clips([shortest]), name, CPU)
    others = {other: taken for other, taken in base().spec.speakers.items() if taken != row}
    content = {**base().spec.model_dump(), "speakers": {**others, name: row}, "voice": name}
    acoustic = AcousticModel(model, AcousticSpec.model_validate(content))
    speaker_adaptation._EMBEDDING_BATCH = 1
    speaker_adaptation.match_pitch(acoustic, corpus)
    speaker_adaptation.fit_embedding(acoustic, corpus, CPU)
    speaker_adaptation.match_bands(acoustic, corpus, CPU)
    alignments = align_corpus(model, Recordings(learnt + judged), {name: row}, CPU)
    weights = {k: v.clone() for k, v in model.state_dict().items() if k.startswith(("encoder.", "spk_emb"))}
    print(f"{name}: {time.process_time() - began:.0f} s", flush=True)
    person = Person(name, row, weights, model.frame_prior.pitch_statistics[row], alignments, learnt, judged)
    torch.save(tuple(person), cached)
    return person


@torch.no_grad()
def spoken(model: GradTTS, person: Person, temperature: float, steps: int) -> list[tuple[Tensor, Tensor]]:
    """Generated mel and frame-level mean of every clip that is judged, (n_mels, frames) each."""
    corpus, found, rows = Recordings(person.judged), [], {person.name: person.row}
    settings = SynthesisSpec(steps=max(1, steps), precision="float32").resolve_defaults(model.spec)
    for clip in corpus.clips:
        crops = collate_crops(corpus, [clip], person.alignments, None, rows, generator_for(0))
        condition = condition_of(model, crops)
        noise = torch.randn(crops.y.shape, generator=generator_for(1))
        start = condition.mu + temperature * noise
        mel = condition.mu
        if steps:
            mel = model.decoder.sample(start, condition, settings, lambda noise=noise: noise)
        found.append((mel[0, :, : clip.frames], condition.mu[0, :, : clip.frames]))
    return found


def detail(mel: Tensor) -> Tensor:
    """What a Gaussian blur of 2 bands and 3 frames takes away: like ``mel``, (n_mels, frames)."""
    x = mel[None, None]
    for deviation, shape in ((2, (1, 1, -1, 1)), (3, (1, 1, 1, -1))):
        weights = torch.exp(-0.5 * (torch.arange(-3 * deviation, 3 * deviation + 1) / deviation) ** 2)
        kernel = (weights / weights.sum()).reshape(shape)
        sides = (0, 0, 3 * deviation, 3 * deviation) if shape[2] == -1 else (3 * deviation, 3 * deviation, 0, 0)
        x = F.conv2d(F.pad(x, sides, mode="replicate"), kernel)
    return mel - x[0, 0]


def distances(person: Person, found: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    recordings = [one.mel for one in person.judged]
    joined_mel, joined_mean, joined_recorded = (
        torch.cat(parts, 1) for parts in ([mel for mel, _ in found], [mean for _, mean in found], recordings)
    )
    shares = [torch.cat([detail(one) for one in part], 1) for part in ([mel for mel, _ in found], recordings)]
    return {
        "mean": float((joined_mean - joined_recorded).abs().mean()),
        "l1": float((joined_mel - joined_recorded).abs().mean()),
        "variance": float(shares[0].square().mean() / shares[1].square().mean()),
    }


class Judges:
    """Models that measure likeness, and with ``--judges`` quality."""

    def __init__(self, given: argparse.Namespace):
        self.given, self.metrics = given, PerceptualMetrics()
        artifact = choose_vocoder(Store.open(), None, AUDIO.mel, ignore)
        self.vocoder = load_vocoder(artifact, AUDIO.mel, "english")

    def centroid(self, samples: Sequence[Samples]) -> np.ndarray:
        mean = np.mean([self.metrics.voice(Waveform(one, RATE)) for one in samples], axis=0)
        return mean / np.linalg.norm(mean)

    @torch.no_grad()
    def heard(self, mel: Tensor, postfilter: float = 0.2) -> Samples:
        return self.vocoder(filtered(mel[None], None, postfilter).clamp(*AUDIO.mel.range))[0].numpy()

    @cached_property
    def readers(self) -> np.ndarray:
        known = [one for one in known_speech(self.given).corpus.all.values() if "libri" in one.clip.speaker]
        return np.stack([self.centroid([one.samples]) for one in known[:60]])

    def references(self, name: str) -> tuple[np.ndarray, np.ndarray, float]:
        """Centroids of what is judged and of what was learnt from, and how alike the most alike reader is."""
        cached = self.given.work / f"references-{name}.npz"
        if not cached.exists():
            person = begun(self.given, name)
            judged, learnt = (self.centroid([r.samples for r in part]) for part in (person.judged, person.learnt))
            np.savez(cached, judged=judged, learnt=learnt, nearest=(self.readers @ learnt).max())
        found = np.load(cached)
        return found["judged"], found["learnt"], float(found["nearest"])

    def __call__(self, name: str, samples: list[Samples]) -> dict[str, float]:
        judged, learnt, nearest = self.references(name)
        clone = self.centroid(samples)
        own = float(judged @ learnt)
        figures = {
            "similarity": float(clone @ judged),
            "identity": (float(clone @ learnt) - nearest) / (own - nearest),
        }
        if self.given.judges:
            waveforms = [Waveform(one, RATE) for one in samples]
            figures["DistillMOS"] = float(np.mean([self.metrics.clearness(one) for one in waveforms]))
            figures["DNSMOS"] = float(np.mean([self.metrics.quality(one) for one in waveforms]))
        return figures


def attended(given: argparse.Namespace, model: GradTTS, person: Person) -> ReferenceAttention | None:
    """The attention that was asked for, in the model, looking at all that is learnt from."""
    if given.attention is None:
        return None
    stored = torch.load(given.work / f"attention-{given.attention}.pt")
    attention = attend(model, stored["statistics"])
    attention.load_state_dict(stored["weights"])
    attention.look_at(model, everything(person))
    return attention


def everything(person: Person) -> Crops:
    """All clips that are learnt from, one after another."""
    wanted = [(one.clip, torch.arange(one.clip.frames)) for one in person.learnt]
    crops = [piece(Recordings(person.learnt), person.alignments, {person.name: person.row}, [one]) for one in wanted]
    along = {"y": 2, "mu_y": 2, "hidden": 1, "position": 1, "log_f0": 1}
    parts = {name: torch.cat([getattr(one, name) for one in crops], axis) for name, axis in along.items()}
    lengths = torch.tensor([parts["y"].shape[2]])
    return Crops(lengths=lengths, speakers=crops[0].speakers, **parts)


def measure(given: argparse.Namespace, judges: Judges, name: str, arm: str) -> None:
    """Adapts the base to a person as an arm says, and writes a row for every way to sample."""
    person, model = begun(given, name), copy.deepcopy(base().model)
    if given.base != "english":
        model.load_state_dict(torch.load(given.work / f"base-{given.base}.pt"), strict=False)
    model.load_state_dict(person.weights, strict=False)
    model.frame_prior.pitch_statistics[person.row] = person.pitch
    attention = attended(given, model, person)
    if arm in {"recorded", "copied"}:
        found = [(one.mel, one.mel) for one in person.judged]
    settings = {"steps": given.steps} | ARMS.get(arm, {})
    after, also = settings.pop("after", None), settings.pop("also", ())
    cached = given.work / f"clone-{name}-{given.base}-{'full' if after else arm}-{given.steps}-{given.seed}.pt"
    if attention is not None:
        cached = cached.with_stem(f"{cached.stem}-{given.attention}")
    began = time.process_time()
    if cached.exists():
        model.load_state_dict(torch.load(cached))
    elif arm in ARMS:
        adapt(model, person, seed=given.seed, attention=attention, **settings)
        torch.save(model.state_dict(), cached)
    if after:
        adapt_few_steps(given, model, person, after, also)
    if attention is not None:
        attention.look_at(model, everything(person))
    seconds = time.process_time() - began
    for temperature, steps in given.sampling:
        if arm in ARMS:
            found = spoken(model, person, temperature, steps)
        row = {
            "base": given.base,
            "attention": given.attention,
            "arm": arm,
            "person": name,
            "seed": given.seed,
            "temperature": temperature,
        }
        row |= {"evaluations": steps, "steps": given.steps, "after": given.after, "seconds": round(seconds, 1)}
        row |= distances(person, found)
        if steps:
            samples = [judges.heard(mel, 0.2 if arm in ARMS else 0.0) for mel, _ in found]
            row |= judges(name, [one.samples for one in person.judged] if arm == "recorded" else samples)
        rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
        print(" ".join(f"{key} {value}" for key, value in rounded.items()), flush=True)
        with (given.work / "results.jsonl").open("a") as file:
            file.write(json.dumps(rounded) + "\n")


def sampling(text: str) -> tuple[float, int]:
    temperature, steps = text.split("/")
    return float(temperature), int(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--arms", required=True, help=f"recorded, copied, {', '.join(ARMS)}")
    parser.add_argument("--people", default="lj,163")
    parser.add_argument("--base", default="english")
    parser.add_argument("--attention", help="of reference_attention.py")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--after", type=int, default=30, help="steps of the arms few-steps and adversarial")
    parser.add_argument("--temperature", type=float, default=0.2, help="that they begin from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--judges", action="store_true", help="DistillMOS and DNSMOS too")
    parser.add_argument(
        "--sampling",
        type=sampling,
        nargs="+",
        default=[(0.2, 2)],
        help="temperature/evaluations; 0/0: the mean",
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    judges = Judges(given)
    for name in given.people.split(","):
        for arm in given.arms.split(","):
            measure(given, judges, name, arm)


if __name__ == "__main__":
    main()
