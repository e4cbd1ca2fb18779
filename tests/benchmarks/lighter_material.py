"""Texts and recordings for `bench_lighter.py`, as the base `english` hears and speaks them."""

import argparse
import re
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from bench_person import drawn_crops
from person_speech import CPU, Known, Recordings, base, listed, recorded
from torch import Tensor, nn

from voxgrad.errors import VoxgradError
from voxgrad.model.diffusion import Condition, length_mask, padded_length
from voxgrad.model.frame_prior import FrameMean, Pitch, expand, frame_positions, gather_tokens, recorded_pitch
from voxgrad.model.gradtts import GradTTS, Prior, predicted_durations
from voxgrad.text.tokens import encode
from voxgrad.training.alignment import align_corpus

CROP = 192


class Spoken(NamedTuple):
    """Texts in somebody's voice, and what the teacher's encoder makes of them."""

    tokens: Tensor
    rows: Tensor
    speaker: Tensor
    prior: Prior
    durations: Tensor


class Frames(NamedTuple):
    """What pitch predictor and frame-level mean are told of a batch; mask is (batch, frames, 1)."""

    inputs: Tensor
    mu_y: Tensor
    pitch: Pitch
    rows: Tensor
    speaker: Tensor
    mask: Tensor
    y: Tensor | None = None
    """Recordings."""

    def mean(self, model: GradTTS) -> FrameMean:
        return model.frame_prior.mean(self.inputs, self.mu_y, self.pitch, self.rows, self.mask)

    def condition(self, mean: FrameMean, part: slice = slice(None)) -> Condition:
        mask = self.mask.transpose(1, 2)[:, :, part]
        return Condition(mean.mu[:, :, part], mask, None, self.speaker, features=mean.features[:, part])


class Material:
    """Texts and recordings, drawn at random."""

    def __init__(self, given: argparse.Namespace):
        self.given, texts = given, given.work / "texts.pt"
        if not texts.exists():
            without = set(given.without.read_text().splitlines()) if given.without else set()
            lines = (given.speech / "texts/ljspeech.txt").read_text().splitlines()
            torch.save([read for line in lines if line not in without for read in readings(line)], texts)
        tokens = torch.load(texts)
        self.held_out = tokens[::400]
        self.texts = sorted((one for i, one in enumerate(tokens) if i % 400), key=len)

    @cached_property
    def known(self) -> Known:
        """Recordings of people whom the base knows."""
        speech, cached, rows = self.given.speech, self.given.work / "recordings.pt", base().spec.speakers
        if not cached.exists():
            taken = [(path, text, f"libri-{name}") for path, text, name in listed(speech / "libri")]
            takes = [line.split("|") for line in (speech / "kathleen/metadata.csv").read_text().splitlines()[::8]]
            taken += [(speech / f"kathleen/wavs/{name}.flac", text, "kathleen") for name, text in takes]
            found = [recorded(*one) for one in (*taken, *listed(speech / "kokoro")) if one[2] in rows]
            found = [one for one in found if one.clip.frames >= max(len(one.clip.tokens), CROP)]
            torch.save((found, align_corpus(base().model, Recordings(found), rows, CPU)), cached)
        found, alignments = torch.load(cached, weights_only=False)
        return Known(Recordings(found), alignments, rows)

    def spoken(self, count: int, generator: torch.Generator) -> Spoken:
        """Texts of like lengths."""
        first = int(torch.randint(len(self.texts) - 4 * count, (), generator=generator))
        return spoken(
            [self.texts[first + int(i)] for i in torch.randperm(4 * count, generator=generator)[:count]], generator
        )

    @torch.no_grad()
    def frames(self, count: int, generator: torch.Generator, *, recordings: bool) -> Frames:
        """Frames of recordings, or of texts with a pitch that varies."""
        prior = base().model.frame_prior
        if not recordings:
            one, size = by_frame(self.spoken(count, generator)), (count, 1)
            z = prior.pitch_scores(one.pitch.log_f0, one.rows) * torch.exp(0.3 * torch.randn(size, generator=generator))
            z = z + 0.5 * torch.randn(size, generator=generator)
            return one._replace(pitch=prior.pitch(z, one.pitch.voiced - 0.5, one.rows))
        crops = drawn_crops(self.known.corpus, self.known.alignments, self.known.rows, count, generator, CROP)
        speaker, mask = base().model.speaker(crops.speakers), length_mask(crops.lengths, crops.y.shape[2])
        inputs = prior.inputs(crops.hidden, crops.mu_y, crops.position, speaker)
        pitch = recorded_pitch(crops.log_f0)
        return Frames(inputs, crops.mu_y, pitch, crops.speakers, speaker, mask.transpose(1, 2), crops.y)


def readings(line: str) -> list[tuple[int, ...]]:
    """Tokens of a sentence, of a clause of it, and of that as a question."""
    clause = re.split(r"[,;:]", line)[-1].strip(" .\"'") or line
    found = []
    for text in (line, f"{clause[0].upper()}{clause[1:]}.", f"{clause[0].upper()}{clause[1:]}?"):
        try:
            found.append(encode(text, base().spec.text).tokens)
        except VoxgradError:
            continue
    return found


@torch.no_grad()
def spoken(texts: Sequence[Sequence[int]], generator: torch.Generator) -> Spoken:
    """Texts in random voices, half of them mixes of two, slower and faster."""
    model, count = base().model, len(texts)
    tokens = nn.utils.rnn.pad_sequence([torch.tensor(one) for one in texts], batch_first=True)
    mask = length_mask(torch.tensor([len(one) for one in texts]), tokens.shape[1])
    rows, others = torch.randint(model.spec.n_spks, (2, count), generator=generator)
    share = (torch.rand(count, 1, generator=generator) - 0.5).clamp(min=0)
    speaker = torch.lerp(model.spk_emb(rows), model.spk_emb(others), share)
    prior = encoded(model, tokens, mask, speaker)
    tempo = torch.exp(0.15 * torch.randn(count, 1, generator=generator)) * base().spec.duration_scale
    return Spoken(tokens, rows, speaker, prior, predicted_durations(prior, tempo, "rounded"))


def encoded(model: GradTTS, tokens: Tensor, mask: Tensor, speaker: Tensor) -> Prior:
    mu_x, logw, hidden = model.encoder(tokens, mask, speaker)
    return Prior(mu_x.float(), logw.squeeze(1).float(), mask, hidden)


def by_frame(said: Spoken, prior: Prior | None = None, model: GradTTS | None = None) -> Frames:
    """The teacher's durations, and what it or another model says of every frame."""
    prior, network = prior or said.prior, (model or base().model).frame_prior
    frames = padded_length(int(said.durations.sum(1).max()))
    mask = length_mask(said.durations.sum(1), frames).transpose(1, 2)
    mu_y = expand(prior.mu_x, said.durations, frames)
    token, position = frame_positions(said.durations, frames)
    inputs = network.inputs(gather_tokens(prior.hidden, token), mu_y, position, said.speaker)
    pitch = network.pitch(*network.predict_pitch(inputs, mask), said.rows)
    return Frames(inputs, mu_y, pitch, said.rows, said.speaker, mask)
