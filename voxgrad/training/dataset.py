"""The contents of a dataset artifact, its division into training and held-out clips, and batches of them.

What is in the batch of a step depends on a seed and the step's number alone.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from itertools import islice, zip_longest
from pathlib import Path
from typing import Self

import torch
from pydantic import TypeAdapter
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from voxgrad.audio.io import read_audio
from voxgrad.audio.praat import log_f0_track
from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import Emit, Said, ignore, tracked
from voxgrad.model.diffusion import padded_length
from voxgrad.model.frame_prior import POSITION_FEATURES, frame_positions
from voxgrad.settings import AcousticSpec, MelSpec, TextSpec
from voxgrad.store import Artifact
from voxgrad.text.lexicon import LEXICON, NONE, Lexicon

CLIPS, MELS = "clips.jsonl", "mels.safetensors"
ONE_SENTENCE = Said(
    "there is only one sentence: nothing is held out, and figures describe the training data", "warning"
)


_MOST_HELD_OUT = 2
"""Times its share of the speech that may be held out."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance of a dataset, without its mel."""

    id: str
    text: str
    normalised: str
    tokens: tuple[int, ...]
    speaker: str
    frames: int
    seconds: float

    @property
    def rank(self) -> float:
        """A number in [0, 1) that depends on the text alone; sentences with a low one are held out."""
        return int.from_bytes(hashlib.sha256(self.normalised.encode()).digest()[:4], "big") / 2**32


@dataclass(frozen=True)
class Corpus:
    """Clips, and their mels, which are read when they are asked for."""

    clips: tuple[Clip, ...]
    mels: Path
    speakers: tuple[str, ...]
    pitch: Mapping[str, Tensor] | None = None
    """By clip id (frames,) ln Hz, 0 where not voiced; None until `measure_pitch`."""
    parts: Mapping[str, "Corpus"] = field(default_factory=dict)
    """What it was joined from, by what the ids of their clips begin with."""

    @classmethod
    def open(cls, clips: Path, mels: Path) -> "Corpus":
        """Reads the clip list of a dataset.

        Raises:
            IntegrityError: the list does not parse.
        """
        try:
            read = tuple(map(TypeAdapter(Clip).validate_json, clips.read_bytes().splitlines()))
        except ValueError as error:
            raise IntegrityError(f"{clips.name} cannot be read as a clip list", "Prepare the dataset again.") from error
        return cls(read, mels, tuple(sorted({clip.speaker for clip in read})))

    @classmethod
    def joined(cls, parts: Mapping[str, "Corpus"]) -> "Corpus":
        """Several as one, in which the id of a clip begins with the name of its part."""
        clips: list[Clip] = []
        pitch: dict[str, Tensor] = {}
        for name, part in parts.items():
            clips += (replace(clip, id=f"{name}/{clip.id}") for clip in part.clips)
            pitch |= {f"{name}/{clip}": track for clip, track in (part.pitch or {}).items()}
        first = next(iter(parts.values()))
        speakers = tuple(sorted({speaker for part in parts.values() for speaker in part.speakers}))
        return cls(tuple(clips), first.mels, speakers, pitch or None, parts)

    def mel(self, clip: Clip) -> Tensor:
        """The log-mel of a clip: (n_feats, frames) float32."""
        if self.parts:
            part, _, name = clip.id.partition("/")
            return self.parts[part].mel(replace(clip, id=name))
        mel: Tensor = self._file.get_tensor(clip.id)  # type: ignore[no-untyped-call]
        return mel

    @cached_property
    def _file(self) -> safe_open:
        """The mels' file, open: parsing its header for every clip would cost two per cent of a step."""
        return safe_open(self.mels, framework="pt")

    def first(self, count: int) -> list[Clip]:
        """So many clips by their ids, each once; of what was joined, from each part in turn."""
        clips = sorted({clip.id: clip for clip in self.clips}.values(), key=lambda clip: clip.id)
        if not self.parts:
            return clips[:count]
        by_part = [[clip for clip in clips if clip.id.startswith(f"{name}/")] for name in self.parts]
        in_turn = (clip for turn in zip_longest(*by_part) for clip in turn if clip is not None)
        return list(islice(in_turn, count))

    def with_clips(self, clips: Iterable[Clip]) -> "Corpus":
        """The same corpus with other clips; speaker numbers stay."""
        return replace(self, clips=tuple(clips))

    @property
    def has_one_sentence(self) -> bool:
        """Whether all clips say the same, so that none can be held out."""
        return len({clip.normalised for clip in self.clips}) < 2

    def divide(self, share: float) -> tuple["Corpus", "Corpus"]:
        """Divides into training and held-out clips, all takes of one sentence on the same side.

        A sentence is held out by its digest, so that it stays held out when clips are added; at least one is. Of few
        sentences, those that are held out last at most twice their share of the speech, or else the shortest is: a
        person with two recordings, of 13 s and 2 s, is learnt from the longer. Where there is but one sentence, it is
        on both sides.
        """
        if self.has_one_sentence:
            return self, self
        rank = {clip.normalised: clip.rank for clip in self.clips}
        seconds: dict[str, float] = dict.fromkeys(rank, 0.0)
        for clip in self.clips:
            seconds[clip.normalised] += clip.seconds
        left = _MOST_HELD_OUT * share * sum(seconds.values())
        held_out: set[str] = set()
        for sentence in sorted(rank, key=rank.__getitem__):
            if rank[sentence] > share and held_out:
                break
            if seconds[sentence] <= left:
                held_out.add(sentence)
                left -= seconds[sentence]
        held_out = held_out or {min(seconds, key=seconds.__getitem__)}
        inside = [clip for clip in self.clips if clip.normalised not in held_out]
        outside = [clip for clip in self.clips if clip.normalised in held_out]
        return self.with_clips(inside), self.with_clips(outside)

    def alignable(self) -> "Corpus":
        """Only the clips with at least one frame for every token."""
        return self.with_clips(clip for clip in self.clips if clip.frames >= len(clip.tokens))


def write_corpus(directory: Path, clips: Iterable[Clip], mels: Mapping[str, Tensor]) -> None:
    """Writes the clip list and the mels of a dataset into ``directory``."""
    lines = (json.dumps(asdict(clip), ensure_ascii=False) + "\n" for clip in clips)
    (directory / CLIPS).write_text("".join(lines), encoding="utf-8")
    save_file({key: mel.contiguous() for key, mel in mels.items()}, directory / MELS)


def mean_mel(corpus: Corpus) -> Tensor:
    """The mean mel frame of a corpus: (n_feats,)."""
    total, frames = torch.zeros(()), 0
    for clip in corpus.clips:
        mel = corpus.mel(clip)
        total = total + mel.sum(1)
        frames += mel.shape[1]
    return total / frames


@dataclass(frozen=True)
class Dataset:
    """A dataset artifact, opened."""

    artifact: Artifact
    corpus: Corpus
    mel: MelSpec
    text: TextSpec
    lexicon: Lexicon = NONE
    """The user's pronunciations that its texts were read with."""

    @classmethod
    def open(cls, artifact: Artifact) -> "Dataset":
        """Reads settings, clip list and lexicon, verifying the files."""
        settings = artifact.manifest.settings
        corpus = Corpus.open(artifact.path(CLIPS), artifact.path(MELS))
        mel = MelSpec.model_validate(settings["audio"]["mel"])
        carried = any(file.path == LEXICON for file in artifact.manifest.files)
        lexicon = Lexicon.read(artifact.path(LEXICON)) if carried else NONE
        return cls(artifact, corpus, mel, TextSpec.model_validate(settings["text"]), lexicon)


def joined(datasets: Sequence[Dataset]) -> Dataset:
    """Datasets as one, with lexicon and text settings of the first; ids of clips begin with language and dataset.

    Raises:
        BadInputError: two have the same name, or another mel or text front end.
    """
    first, *others = datasets
    names = [dataset.artifact.name for dataset in datasets]
    if len(set(names)) < len(names):
        raise BadInputError(f"the dataset {max(names, key=names.count)} is named twice", "Name each once.")
    for dataset in others:
        if dataset.mel != first.mel or dataset.text.frontend != first.text.frontend:
            raise BadInputError(f"{dataset.artifact.ref} has another mel or text front end", "Prepare all alike.")
    parts = {f"{dataset.text.language}-{dataset.artifact.name}": dataset.corpus for dataset in datasets}
    return replace(first, corpus=Corpus.joined(parts))


def measure_pitch(dataset: Dataset, emit: Emit = ignore) -> Dataset:
    """The same dataset with the pitch of every frame, by Praat from the clips' audio (60 times real time).

    Raises:
        IntegrityError: a clip's audio is missing or damaged.
    """
    corpus, mel = dataset.corpus, dataset.mel
    if corpus.pitch is not None:
        return dataset
    found: dict[str, Tensor] = {}
    for clip in tracked(corpus.clips, "measure pitch", "clips", emit):
        waveform = read_audio(dataset.artifact.path(f"audio/{clip.id}.flac"))
        found[clip.id] = torch.from_numpy(log_f0_track(waveform, clip.frames, mel.seconds_per_frame)).float()
    return replace(dataset, corpus=replace(corpus, pitch=found))


def check_fits(spec: AcousticSpec, dataset: Dataset, base: str) -> None:
    """A base can only learn from a dataset with its own mel and text front end.

    Raises:
        BadInputError: naming both sides.
    """
    if spec.mel != dataset.mel:
        raise BadInputError(
            f"{base} was trained with mel {spec.mel.fingerprint}, "
            f"but {dataset.artifact.ref} has {dataset.mel.fingerprint}",
            "Prepare the recordings again with the base's mel settings.",
        )
    if spec.text != dataset.text:
        raise BadInputError(
            f"{base} uses the text front end {spec.text.frontend}, "
            f"but {dataset.artifact.ref} uses {dataset.text.frontend}",
            f"Prepare the recordings again with --text-frontend {spec.text.frontend}.",
        )


_POOL = 8  # batches that are sorted by length together: little padding, yet enough disorder


@dataclass(frozen=True, slots=True)
class Alignment:
    """The output of a frozen encoder for one clip."""

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
    """The decoder's training data: pieces of mels with their prior means."""

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
    """The clips of a step, counted from 0: every epoch is a new permutation, in batches of similar length.

    All clips where there are fewer than ``size``.
    """
    size = min(size, len(clips))
    in_epoch = len(clips) // size
    epoch, index = divmod(step, in_epoch)
    generator = generator_for(seed, epoch)
    order = torch.randperm(len(clips), generator=generator).tolist()
    batches: list[list[int]] = []
    for start in range(0, in_epoch * size, _POOL * size):
        pool = sorted(order[start : min(start + _POOL * size, in_epoch * size)], key=lambda i: clips[i].frames)
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
    batch = len(clips)
    y = torch.zeros(batch, len(alignments[clips[0].id].mu_x), size)
    mu_y = torch.zeros_like(y)
    lengths = torch.tensor([min(size, clip.frames) for clip in clips])
    inner = alignments[clips[0].id].hidden
    hidden = None if corpus.pitch is None or inner is None else torch.zeros(batch, size, len(inner))
    position, log_f0 = torch.zeros(batch, size, POSITION_FEATURES), torch.zeros(batch, size)
    for row, (clip, length) in enumerate(zip(clips, lengths.tolist(), strict=True)):
        known = alignments[clip.id]
        start = int(torch.randint(clip.frames - length + 1, (), generator=generator))
        part = slice(start, start + length)
        y[row, :, :length] = corpus.mel(clip)[:, part]
        mu_y[row, :, :length] = known.mu_x.repeat_interleave(known.durations, 1)[:, part]
        if corpus.pitch is None:
            continue
        token, where = frame_positions(known.durations[None], clip.frames)
        position[row, :length] = where[0, part]
        log_f0[row, :length] = corpus.pitch[clip.id][part]
        if hidden is not None and known.hidden is not None:
            hidden[row, :length] = known.hidden[:, token[0, part]].T
    crops = Crops(y, mu_y, lengths, _rows(clips, speaker_rows))
    return crops if corpus.pitch is None else replace(crops, hidden=hidden, position=position, log_f0=log_f0)


def crop_starts(lengths: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """A random first frame for a piece of ``size`` frames of every utterance: (batch,) → (batch,)."""
    room = (lengths.cpu() - size).clamp(min=0) + 1
    return (torch.rand(len(lengths), generator=generator) * room).long()


def _rows(clips: Sequence[Clip], speaker_rows: Mapping[str, int]) -> Tensor:
    return torch.tensor([speaker_rows[clip.speaker] for clip in clips])
