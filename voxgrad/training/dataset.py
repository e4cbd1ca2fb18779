"""What a dataset artifact holds, and how it is divided into training and held-out utterances."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from voxgrad.audio.io import read_audio
from voxgrad.audio.praat import log_f0_track
from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import Advanced, Began, Emit, Ended, Said, ignore
from voxgrad.settings import AcousticSpec, MelSpec, TextSpec
from voxgrad.store.artifact import Artifact
from voxgrad.text.lexicon import LEXICON, NONE, Lexicon

CLIPS, MELS = "clips.jsonl", "mels.safetensors"
_TASK = "measure pitch"
ONE_SENTENCE = Said("one sentence alone: none is held out, and figures are of what is learnt from", "warning")


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

    @classmethod
    def open(cls, clips: Path, mels: Path) -> "Corpus":
        """Reads the clip list of a dataset.

        Raises:
            IntegrityError: the list does not parse.
        """
        try:
            rows = [json.loads(line) for line in clips.read_text(encoding="utf-8").splitlines()]
            read = tuple(Clip(**{**row, "tokens": tuple(row["tokens"])}) for row in rows)
        except (ValueError, TypeError, KeyError) as error:
            raise IntegrityError(
                f"{clips.name} cannot be read as a clip list", "Prepare the dataset again."
            ) from error
        return cls(read, mels, tuple(sorted({clip.speaker for clip in read})))

    def mel(self, clip: Clip) -> Tensor:
        """The log-mel of a clip: (n_feats, frames) float32."""
        mel: Tensor = self._file.get_tensor(clip.id)  # type: ignore[no-untyped-call]
        return mel

    @cached_property
    def _file(self) -> safe_open:
        """The mels' file, open: parsing its header for every clip would cost two per cent of a step."""
        return safe_open(self.mels, framework="pt")

    def with_clips(self, clips: Iterable[Clip]) -> "Corpus":
        """The same corpus with other clips; speaker numbers stay."""
        return replace(self, clips=tuple(clips))

    @property
    def has_one_sentence(self) -> bool:
        """Whether all clips say the same, so that none can be held out."""
        return len({clip.normalised for clip in self.clips}) < 2

    def divide(self, share: float) -> tuple["Corpus", "Corpus"]:
        """Divides into training and held-out clips, all takes of one sentence on the same side.

        A sentence is held out by its digest, so that it stays held out when clips are added; at least one is. Where
        there is but one sentence, it is on both sides.
        """
        if self.has_one_sentence:
            return self, self
        rank = {clip.normalised: clip.rank for clip in self.clips}
        threshold = max(share, min(rank.values()))
        inside = [clip for clip in self.clips if rank[clip.normalised] > threshold]
        outside = [clip for clip in self.clips if rank[clip.normalised] <= threshold]
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


def measure_pitch(dataset: Dataset, emit: Emit = ignore) -> Dataset:
    """The same dataset with the pitch of every frame, by Praat from the clips' audio (60 times real time).

    Raises:
        IntegrityError: a clip's audio is missing or damaged.
    """
    corpus, mel = dataset.corpus, dataset.mel
    if corpus.pitch is not None:
        return dataset
    found: dict[str, Tensor] = {}
    emit(Began(_TASK, len(corpus.clips), "clips"))
    for clip in corpus.clips:
        waveform = read_audio(dataset.artifact.path(f"audio/{clip.id}.flac"))
        found[clip.id] = torch.from_numpy(log_f0_track(waveform, clip.frames, mel.seconds_per_frame)).float()
        emit(Advanced(_TASK, len(found)))
    emit(Ended(_TASK))
    return replace(dataset, corpus=replace(corpus, pitch=found))


def check_fits(spec: AcousticSpec, dataset: Dataset, base: str) -> None:
    """A base can only learn from a dataset with its own mel and text front end.

    Raises:
        BadInputError: naming both sides.
    """
    if spec.mel != dataset.mel:
        raise BadInputError(
            f"{base} was trained on mel {spec.mel.fingerprint}, {dataset.artifact.ref} holds {dataset.mel.fingerprint}",
            "Prepare the recordings again with the base's mel settings.",
        )
    if spec.text != dataset.text:
        raise BadInputError(
            f"{base} reads with front end {spec.text.frontend}, {dataset.artifact.ref} with {dataset.text.frontend}",
            f"Prepare the recordings again with --text-frontend {spec.text.frontend}.",
        )
