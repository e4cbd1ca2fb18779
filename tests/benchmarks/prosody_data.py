"""Turn what Kokoro-82M predicts of sentences into durations of our tokens and pitch of our frames, to pretrain on.

    python prosody_data.py PREDICTED.jsonl OUT.safetensors --data es,fr --language european
    voxgrad pretrain --base english --data es,fr --preset languages --set prosody=OUT.safetensors

PREDICTED.jsonl is what `made_prosody.py` wrote of many sentences and, with ``--clips``, of the datasets' own, one after
the other. The borders that Kokoro predicts are not where its sounds are: our aligner finds them 0.1 s earlier, by
different times. A convolutional network learns from the datasets how far each border moves.
"""

import argparse
import difflib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.errors import BadInputError
from voxgrad.store import Artifact, Store
from voxgrad.text.ipa import IPA_VOCABULARY_SIZE, is_phone, labels_of
from voxgrad.text.tokens import encode
from voxgrad.training.alignment import align_with, whole_frames
from voxgrad.training.dataset import Dataset, measure_pitch
from voxgrad.training.prosody import Sentence, write_prosody

LETTER, F0 = 0.025, 0.0125  # seconds of a duration of Kokoro's, and between values of its pitch
KOKORO = {"t͡ʃ": "ʧ", "d͡ʒ": "ʤ"}
ENGLISH = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "W", "AY": "I", "B": "b", "CH": "ʧ", "D": "d", "DH": "ð",
    "EH": "ɛ", "ER": "ɜɹ", "EY": "A", "F": "f", "G": "ɡ", "HH": "h", "IH": "ɪ", "IY": "i", "JH": "ʤ", "K": "k",
    "L": "l", "M": "m", "N": "n", "NG": "ŋ", "OW": "O", "OY": "Y", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t",
    "TH": "θ", "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
ALIKE = str.maketrans("əᵊᵻTɚ", "ʌʌɪtɹ")  # letters of reduced and flapped sounds, which CMUdict does not tell apart
NO_SOUND = re.compile("[ˈˌː\u0303 ]")


class Predicted(NamedTuple):
    """A sentence: its tokens, Kokoro's times of their ends in seconds, and its pitch."""

    tokens: tuple[int, ...]
    ends: Tensor
    f0: np.ndarray
    speaker: str


class Shift(nn.Module):
    """How much earlier than predicted each token ends, in seconds, from tokens and predicted durations."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(IPA_VOCABULARY_SIZE, 62)
        widths = (64, *[160] * 5)
        self.layers = nn.ModuleList(nn.Conv1d(a, 160, 5, padding=2) for a in widths[:-1])
        self.out = nn.Linear(160, 1)

    def forward(self, tokens: Tensor, ends: Tensor) -> Tensor:
        """(batch, tokens) of both to (batch, tokens)."""
        durations = ends.diff(dim=1, prepend=torch.zeros_like(ends[:, :1]))
        timing = torch.stack([durations * 5, torch.log(durations.clamp(min=0.01)) / 3], -1)
        hidden = torch.cat([self.embedding(tokens), timing], -1).transpose(1, 2)
        for index, layer in enumerate(self.layers):
            moved = F.gelu(layer(hidden))
            hidden = moved if index == 0 else hidden + moved
        return 0.1 + 0.1 * self.out(hidden.transpose(1, 2))[..., 0]


def letters_of(label: str) -> str:
    """What Kokoro writes for a phone, without stress and length."""
    plain = label.rstrip("012")
    return ENGLISH[plain] if plain in ENGLISH else NO_SOUND.sub("", KOKORO.get(label, label))


def ends_of_tokens(tokens: tuple[int, ...], letters: str, frames: list[int]) -> Tensor | None:
    """Kokoro's time of the end of every token; None where texts were read too differently.

    A phone ends with its letters, a mark or space where the next phone begins. Phones that Kokoro has not are given
    equal parts of what lies between.
    """
    times = np.cumsum([0, *frames]) * LETTER  # the first letter begins after the silence: times[1]
    letters = letters.translate(ALIKE)
    sounding = [(sign, times[i + 1], times[i + 2]) for i, sign in enumerate(letters) if not NO_SOUND.fullmatch(sign)]
    labels = labels_of(tokens)
    at = [index for index, label in enumerate(labels) if is_phone(label)]
    expected = [(sign, index) for index in at for sign in letters_of(labels[index]).translate(ALIKE)]
    matcher = difflib.SequenceMatcher(None, [one[0] for one in expected], [one[0] for one in sounding], autojunk=False)
    starts: dict[int, float] = {}
    stops: dict[int, float] = {}
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            index, (_, start, stop) = expected[block.a + offset][1], sounding[block.b + offset]
            starts[index], stops[index] = min(start, starts.get(index, math.inf)), stop
    if len(stops) < 0.8 * len(at) or not at or at[0] not in stops or at[-1] not in stops:
        return None
    ends = np.full(len(tokens), np.nan)
    for index, after in zip(at, [*at[1:], len(tokens)], strict=True):
        if index in stops:
            ends[index] = stops[index]
        if after in starts:
            ends[after - 1] = starts[after]  # of marks, spaces and the blank before the next phone
    ends[: at[0]], ends[-1] = starts[at[0]], times[-1]
    given = ~np.isnan(ends)
    places = np.arange(len(tokens))
    return torch.from_numpy(np.maximum.accumulate(np.interp(places, places[given], ends[given]))).float()


def predicted(path: Path, texts: dict[str, Any], speakers: set[str]) -> dict[tuple[str, str], Predicted]:
    """The sentences of a file by speaker and text, of these speakers, in the languages of ``texts``."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["language"] not in texts or row["speaker"] not in speakers:
            continue
        try:
            tokens = tuple(encode(row["text"], texts[row["language"]]).tokens)
        except BadInputError:
            continue
        ends = ends_of_tokens(tokens, row["letters"], row["frames"])
        if ends is not None:
            found[row["speaker"], row["text"]] = Predicted(tokens, ends, np.array(row["f0"]), row["speaker"])
    return found


def resampled(f0: np.ndarray, start: float, frames: int, seconds: float) -> np.ndarray:
    """The pitch at the centres of frames, the first of which begins at ``start``: ln Hz, 0 where not voiced."""
    at = ((start + (np.arange(frames) + 0.5) * seconds) / F0).astype(int)
    values = np.where((at >= 0) & (at < len(f0)), f0[at.clip(0, len(f0) - 1)], 0.0)
    return np.where(values > 0, np.log(np.maximum(values, 1.0)), 0.0)


def start_of(clip_log_f0: Tensor, f0: np.ndarray, seconds: float) -> float:
    """Where in Kokoro's time a clip begins, from whose ends silence was cut: where the pitches agree best."""
    ours = clip_log_f0.numpy()

    def distance(start: float) -> float:
        theirs = resampled(f0, start, len(ours), seconds)
        both = (ours > 0) & (theirs > 0)
        off = np.minimum(np.abs(ours - theirs)[both], 0.2).sum() + 0.2 * ((ours > 0) != (theirs > 0)).sum()
        return float(off)

    return min(np.arange(-0.1, 1.2, 0.005).tolist(), key=distance)


def padded(rows: Iterable[Tensor]) -> Tensor:
    """Rows of different lengths as one tensor."""
    return nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def fitted(pairs: list[tuple[Predicted, Tensor]], steps: int) -> Shift:
    """The network, from sentences and the times of the ends of their tokens in Kokoro's time."""
    torch.manual_seed(0)
    network, generator = Shift(), torch.Generator().manual_seed(0)
    held_out, training = pairs[::12], [pair for index, pair in enumerate(pairs) if index % 12]
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def error(some: list[tuple[Predicted, Tensor]]) -> Tensor:
        tokens = padded(torch.tensor(one.tokens) for one, _ in some)
        ends, found = (padded(rows) for rows in ([one.ends for one, _ in some], [where for _, where in some]))
        real = padded(torch.ones(len(where) - 1) for _, where in some) > 0
        off = (ends - network(tokens, ends) - found)[:, :-1]
        return off[real].abs()

    for step in range(steps):
        chosen = torch.randint(len(training), (16,), generator=generator).tolist()
        loss = error([training[index] for index in chosen]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 200 == 0 or step == steps - 1:
            with torch.no_grad():
                print(f"{step}: borders are {float(error(held_out).mean()) * 1000:.1f} ms off", flush=True)
    return network.eval()


@torch.no_grad()
def sentence(one: Predicted, network: Shift, lead: float, tail: float, seconds: float) -> Sentence | None:
    """Durations and pitch of a sentence; None where it has fewer frames than tokens."""
    ends = (one.ends - network(torch.tensor([one.tokens]), one.ends[None])[0]).cummax(0).values
    start, stop = float(ends[0]) - lead, float(ends[-2]) + tail
    frames = round((stop - start) / seconds)
    if frames <= len(one.tokens):
        return None
    durations = whole_frames(((ends[:-1] - start) / seconds).tolist(), frames)
    log_f0 = torch.from_numpy(resampled(one.f0, start, frames, seconds)).float()
    return Sentence(one.speaker, one.tokens, durations, log_f0)


def pairs_of(
    datasets: list[Dataset], store: Store, base: Artifact, language: str | None, known: dict[tuple[str, str], Predicted]
) -> tuple[list[tuple[Predicted, Tensor]], float, float]:
    """Sentences with the ends of their tokens in Kokoro's time; and the usual first and last silence, in seconds."""
    pairs, leads, tails = [], [], []
    for dataset in datasets:
        seconds = dataset.mel.seconds_per_frame
        taught = None if language is None else (store.find(language, "language"), dataset.text.language)
        acoustic = load_acoustic_model(base, taught)
        said = [clip for clip in dataset.corpus.clips if (clip.speaker, clip.text) in known]
        said = [clip for clip in said if known[clip.speaker, clip.text].tokens == clip.tokens]
        opened = measure_pitch(replace(dataset, corpus=dataset.corpus.with_clips(said)))
        aligned = align_with(acoustic, opened.corpus, torch.device("cpu"))
        for clip in said:
            one, durations = known[clip.speaker, clip.text], aligned[clip.id].durations
            start = start_of((opened.corpus.pitch or {})[clip.id], one.f0, seconds)
            pairs.append((one, start + durations.cumsum(0) * seconds))
            leads.append(float(durations[0]) * seconds)
            tails.append(float(durations[-1]) * seconds)
        print(f"{dataset.artifact.ref}: {len(said)} clips", flush=True)
    return pairs, float(np.median(leads)), float(np.median(tails))


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predicted", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", required=True, help="datasets of the same voices, with commas")
    parser.add_argument("--base", default="english")
    parser.add_argument("--language", help="what teaches the base their languages")
    parser.add_argument("--steps", type=int, default=1500)
    given = parser.parse_args()
    store = Store.open()
    datasets = [Dataset.open(store.find(name, "dataset")) for name in given.data.split(",")]
    speakers = {speaker for dataset in datasets for speaker in dataset.corpus.speakers}
    known = predicted(given.predicted, {dataset.text.language: dataset.text for dataset in datasets}, speakers)
    print(len(known), "sentences", flush=True)
    pairs, lead, tail = pairs_of(datasets, store, store.find(given.base, "base"), given.language, known)
    network, mel = fitted(pairs, given.steps), datasets[0].mel
    made = (sentence(one, network, lead, tail, mel.seconds_per_frame) for one in known.values())
    sentences = [one for one in made if one is not None]
    write_prosody(given.out, sentences, mel)
    minutes = sum(len(one.log_f0) for one in sentences) * mel.seconds_per_frame / 60
    print(f"{given.out}: {len(sentences)} sentences, {minutes:.0f} minutes")


if __name__ == "__main__":
    main()
