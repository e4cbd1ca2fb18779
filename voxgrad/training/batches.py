"""Padded batches of utterances, in an order that a seed and a step number determine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor

from voxgrad.model.diffusion import padded_length
from voxgrad.model.frame_prior import POSITION_FEATURES, frame_positions
from voxgrad.training.dataset import Clip, Corpus

_POOL = 8  # batches that are sorted by length together: little padding, yet enough disorder


@dataclass(frozen=True, slots=True)
class Alignment:
    """What a frozen encoder says of one clip."""

    mu_x: Tensor
    """(n_feats, tokens)."""
    durations: Tensor
    """(tokens,) int64 frames."""
    hidden: Tensor | None = None
    """(inner, tokens), what a frame-level mean is made from."""


@dataclass(frozen=True, slots=True)
class _Tensors:
    """Tensors whose rows belong together."""

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Self:
        """All of them changed alike."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: change(part) for name, part in parts.items() if part is not None})

    def to(self, device: torch.device) -> Self:
        """The same on ``device``."""
        return self.mapped(lambda part: to_device(part, device))


@dataclass(frozen=True, slots=True)
class Batch(_Tensors):
    """Complete utterances, padded."""

    tokens: Tensor
    """(batch, tokens) int64."""
    token_lengths: Tensor
    """(batch,)."""
    y: Tensor
    """Mels (batch, n_feats, frames), frames a multiple of 4."""
    frame_lengths: Tensor
    """(batch,)."""
    speakers: Tensor
    """(batch,) int64."""
    log_f0: Tensor | None = None
    """(batch, frames) ln Hz, 0 where not voiced; where the corpus was measured."""


@dataclass(frozen=True, slots=True)
class Crops(_Tensors):
    """What the decoder trains on: pieces of mels with the prior mean beside them."""

    y: Tensor
    """(batch, n_feats, frames)."""
    mu_y: Tensor
    """Same shape."""
    lengths: Tensor
    """(batch,) real frames."""
    speakers: Tensor
    """(batch,)."""
    hidden: Tensor | None = None
    """(batch, frames, inner), of a model with a frame-level mean; so are the next two."""
    position: Tensor | None = None
    """(batch, frames, 3), see `voxgrad.model.frame_prior.frame_positions`."""
    log_f0: Tensor | None = None
    """(batch, frames) ln Hz, 0 where not voiced."""


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The same on ``device``; on the way to a GPU from pinned memory, which the processor need not wait for."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def generator_for(*key: int) -> torch.Generator:
    """A generator whose numbers depend on ``key`` alone, so that a resumed run needs no stored state."""
    mixed = 0x9E3779B97F4A7C15
    for part in key:
        mixed = ((mixed ^ part) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**63
    return torch.Generator().manual_seed(mixed)


def batch_of_step(clips: Sequence[Clip], size: int, step: int, seed: int) -> list[Clip]:
    """The clips of a step: every epoch is a new permutation, in batches of similar length.

    Args:
        clips: all training clips.
        size: clips in a batch; all of them where there are fewer.
        step: counted from 0.
        seed: of the run and stage.
    """
    size = min(size, len(clips))
    in_epoch = len(clips) // size
    epoch, index = divmod(step, in_epoch)
    generator = generator_for(seed, epoch)
    order = torch.randperm(len(clips), generator=generator).tolist()
    batches: list[list[int]] = []
    for start in range(0, in_epoch * size, _POOL * size):
        pool = sorted(
            order[start : min(start + _POOL * size, in_epoch * size)], key=lambda i: clips[i].frames
        )
        batches += [pool[i : i + size] for i in range(0, len(pool), size)]
    return [clips[i] for i in batches[torch.randperm(in_epoch, generator=generator).tolist()[index]]]


def collate(corpus: Corpus, clips: Sequence[Clip], speaker_rows: Mapping[str, int]) -> Batch:
    """Pads complete utterances into a batch; ``speaker_rows`` gives every speaker's row of the embedding."""
    mels = [corpus.mel(clip) for clip in clips]
    token_lengths = torch.tensor([len(clip.tokens) for clip in clips])
    frame_lengths = torch.tensor([mel.shape[1] for mel in mels])
    tokens = torch.zeros(len(clips), int(token_lengths.max()), dtype=torch.long)
    y = torch.zeros(len(clips), mels[0].shape[0], padded_length(int(frame_lengths.max())))
    log_f0 = None if corpus.pitch is None else torch.zeros(len(clips), y.shape[2])
    for row, (clip, mel) in enumerate(zip(clips, mels, strict=True)):
        tokens[row, : len(clip.tokens)] = torch.tensor(clip.tokens)
        y[row, :, : mel.shape[1]] = mel
        if corpus.pitch is not None and log_f0 is not None:
            log_f0[row, : mel.shape[1]] = corpus.pitch[clip.id]
    return Batch(tokens, token_lengths, y, frame_lengths, _rows(clips, speaker_rows), log_f0)


def collate_crops(
    corpus: Corpus,
    clips: Sequence[Clip],
    alignments: Mapping[str, Alignment],
    crop: int | None,
    speaker_rows: Mapping[str, int],
    generator: torch.Generator,
) -> Crops:
    """Cuts a random piece of ``crop`` frames (None: everything) from every clip, padding those that are shorter."""
    longest = max(clip.frames for clip in clips)
    size = padded_length(longest if crop is None else min(crop, longest))
    y = torch.zeros(len(clips), len(alignments[clips[0].id].mu_x), size)
    mu_y = torch.zeros_like(y)
    lengths = torch.tensor([min(size, clip.frames) for clip in clips])
    starts = []
    for row, clip in enumerate(clips):
        known = alignments[clip.id]
        mu = known.mu_x.repeat_interleave(known.durations, 1)
        length = int(lengths[row])
        start = int(torch.randint(clip.frames - length + 1, (), generator=generator))
        y[row, :, :length] = corpus.mel(clip)[:, start : start + length]
        mu_y[row, :, :length] = mu[:, start : start + length]
        starts.append(start)
    crops = Crops(y, mu_y, lengths, _rows(clips, speaker_rows))
    return crops if corpus.pitch is None else _with_frames(crops, corpus.pitch, clips, alignments, starts)


def _with_frames(
    crops: Crops,
    pitch: Mapping[str, Tensor],
    clips: Sequence[Clip],
    alignments: Mapping[str, Alignment],
    starts: Sequence[int],
) -> Crops:
    """The same crops with what a frame-level mean learns from."""
    batch, _, size = crops.y.shape
    hidden: Tensor | None = None
    position, log_f0 = torch.zeros(batch, size, POSITION_FEATURES), torch.zeros(batch, size)
    for row, (clip, start) in enumerate(zip(clips, starts, strict=True)):
        known, part = alignments[clip.id], slice(start, start + int(crops.lengths[row]))
        token, where = frame_positions(known.durations[None], clip.frames)
        length = int(crops.lengths[row])
        position[row, :length] = where[0, part]
        log_f0[row, :length] = pitch[clip.id][part]
        if known.hidden is not None:
            if hidden is None:
                hidden = torch.zeros(batch, size, len(known.hidden))
            hidden[row, :length] = known.hidden[:, token[0, part]].T
    return replace(crops, hidden=hidden, position=position, log_f0=log_f0)


def crop_starts(lengths: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """A random first frame for a piece of ``size`` frames of every utterance: (batch,) → (batch,)."""
    room = (lengths.cpu() - size).clamp(min=0) + 1
    return (torch.rand(len(lengths), generator=generator) * room).long()


def _rows(clips: Sequence[Clip], speaker_rows: Mapping[str, int]) -> Tensor:
    return torch.tensor([speaker_rows[clip.speaker] for clip in clips])
