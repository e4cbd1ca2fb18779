"""Sentences without audio, of which durations and pitch alone are known: what timing and melody are learnt from.

A predictor of durations and pitch needs far more text than a decoder needs audio. Other synthesisers predict both
before they make sound, a hundred times faster than real time; `tests/benchmarks/prosody_data.py` writes them to a file.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from voxgrad.errors import BadInputError
from voxgrad.settings import MelSpec
from voxgrad.text.ipa import IPA_VOCABULARY_SIZE
from voxgrad.training.dataset import Clip, Corpus

_SPEAKERS, _MEL = "speakers", "mel"
_MAKE = "Write it with tests/benchmarks/prosody_data.py."


@dataclass(frozen=True)
class Prosody(Corpus):
    """A corpus whose clips have tokens, durations and pitch, and silence as their mels."""

    durations: Mapping[str, Tensor] | None = None
    """By clip id (tokens,) int64 frames."""
    n_mels: int = 0

    @classmethod
    def read(cls, path: Path, mel: MelSpec, speakers: Mapping[str, int]) -> Self:
        """Reads what :func:`write_prosody` wrote, for a model with these speakers.

        Raises:
            BadInputError: there is no such file, or it is of other frames, or of speakers that the model lacks.
        """
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata()
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            names, made_for = json.loads(about[_SPEAKERS]), about[_MEL]
            counts, frames = tensors["counts"].tolist(), tensors["frames"].tolist()
            tokens, durations = (tensors[name].long().split(counts) for name in ("tokens", "durations"))
            pitch = tensors["log_f0"].float().split(frames)
            said_by = [names[index] for index in tensors["speakers"].tolist()]
            whole = [int(row.sum()) for row in durations] == frames and int(
                tensors["tokens"].max()
            ) < IPA_VOCABULARY_SIZE
        except (OSError, SafetensorError) as error:
            raise BadInputError(f"the file of prosody {path} cannot be read", _MAKE) from error
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
            raise BadInputError(f"{path} is not a file of prosody", _MAKE) from error
        if not whole:
            raise BadInputError(
                f"the durations of {path} are not those of its frames, or its tokens are unknown", _MAKE
            )
        if made_for != mel.fingerprint:
            raise BadInputError(f"{path} is of mel {made_for}, not {mel.fingerprint}", _MAKE)
        if unknown := sorted({*said_by} - {*speakers}):
            message = f"{path} has speakers that neither base nor datasets have: {', '.join(unknown)}"
            raise BadInputError(message, "Write it with the speakers of the datasets only.")
        clips = tuple(
            Clip(f"prosody-{row:06}", "", "", tuple(said.tolist()), speaker, length, length * mel.seconds_per_frame)
            for row, (said, speaker, length) in enumerate(zip(tokens, said_by, frames, strict=True))
        )
        ids = [clip.id for clip in clips]
        known = dict(zip(ids, durations, strict=True))
        return cls(clips, path, tuple(names), dict(zip(ids, pitch, strict=True)), {}, known, mel.n_mels)

    def mel(self, clip: Clip) -> Tensor:
        """Silence: (n_feats, frames)."""
        return torch.zeros(self.n_mels, clip.frames)

    def stacked(self, clips: Sequence[Clip]) -> Tensor:
        """The durations of a batch, padded with zeros: (batch, tokens) int64."""
        known = self.durations or {}
        return nn.utils.rnn.pad_sequence([known[clip.id] for clip in clips], batch_first=True)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a file of prosody."""

    speaker: str
    tokens: Sequence[int]
    durations: Tensor
    """(tokens,) frames."""
    log_f0: Tensor
    """(frames,) ln Hz, 0 where it is not known. Whether a frame is voiced is not learnt from it."""


def write_prosody(path: Path, sentences: Sequence[Sentence], mel: MelSpec) -> None:
    """Writes sentences to a safetensors file; ``mel`` says how long a frame is."""
    names = sorted({one.speaker for one in sentences})
    tensors = {
        "counts": torch.tensor([len(one.tokens) for one in sentences], dtype=torch.int32),
        "frames": torch.tensor([len(one.log_f0) for one in sentences], dtype=torch.int32),
        "speakers": torch.tensor([names.index(one.speaker) for one in sentences], dtype=torch.int32),
        "tokens": torch.cat([torch.tensor(one.tokens, dtype=torch.int16) for one in sentences]),
        "durations": torch.cat([one.durations for one in sentences]).to(torch.int16),
        "log_f0": torch.cat([one.log_f0 for one in sentences]).half(),
    }
    save_file(tensors, path, {_SPEAKERS: json.dumps(names), _MEL: mel.fingerprint})


def prosody_digest(path: Path) -> str:
    """Twelve hex digits of a file of prosody.

    Raises:
        BadInputError: there is none.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError as error:
        raise BadInputError(f"the file of prosody {path} cannot be read", _MAKE) from error
