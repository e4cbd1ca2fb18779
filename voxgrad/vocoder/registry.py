"""The vocoders: their interface, a table of all, and how they are stored and loaded."""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, Self

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.model.checkpoint import build_strict, read_weights, save_weights
from voxgrad.packing import WEIGHTS
from voxgrad.settings import MelSpec, Spec
from voxgrad.store import Artifact
from voxgrad.vocoder.choice import DESCRIPTION, GRIFFIN_LIM
from voxgrad.vocoder.hifigan import HiFiGAN, first_mistake
from voxgrad.vocoder.istft import ISTFTVocoder
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.source_filter import SourceFilterVocoder


class Vocoder(Protocol):
    """Turns log-mel spectrograms into audio; made for use, not for training."""

    name: ClassVar[str]
    """The kind of vocoder, such as ``hifigan``."""
    settings: ClassVar[type[Any]]
    """Its class of settings."""
    half_precision: ClassVar[bool]
    """Whether it may compute in half precision: the others were trained and compared in float32 alone."""

    @classmethod
    def build(cls, spec: Any, mel: MelSpec) -> Self:
        """Make one with random weights.

        Raises:
            BadInputError: it cannot speak such a mel.
        """

    @property
    def spec(self) -> Spec:
        """The settings that it was made with."""

    @property
    def mel(self) -> MelSpec:
        """The mel settings that it expects."""

    @property
    def network(self) -> nn.Module | None:
        """Its weights, if it has any."""

    def __call__(self, mel: Tensor) -> Tensor:
        """Speak (batch, n_mels, frames), which becomes (batch, frames * hop_length), full scale at ±1."""


class TrainableVocoder(Vocoder, Protocol):
    """One that `vocoder train` trains: see `voxgrad.settings.VocoderPreset` for which."""

    @property
    def network(self) -> nn.Module:
        """Its weights."""

    def training_spectrum(self, log_mel: Tensor, generator: torch.Generator) -> Tensor:
        """The spectrum that training looks at: (batch, n_mels, frames) → complex (batch, frames, bins)."""

    def learner(self, *, pitch: bool) -> nn.Module:
        """What a stage of training trains.

        Raises:
            BadInputError: the stage is for a pitch estimator, and there is none.
        """


VOCODERS: Final[dict[str, type[Vocoder]]] = {
    kind.name: kind for kind in (SourceFilterVocoder, ISTFTVocoder, HiFiGAN, GriffinLim)
}


class _Record(Spec):
    """``vocoder.json``."""

    type: str
    spec: dict[str, Any]
    mel: MelSpec


def save(vocoder: Vocoder, directory: Path, dtype: torch.dtype | None = None) -> None:
    """Write ``vocoder.json`` and, if there are any, ``weights.safetensors`` into a directory, in ``dtype`` if given."""
    if vocoder.network is not None:
        save_weights(directory / WEIGHTS, vocoder.network.state_dict(), dtype)
    record = _Record(type=vocoder.name, spec=vocoder.spec.model_dump(mode="json"), mel=vocoder.mel)
    (directory / DESCRIPTION).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load(directory: Path) -> Vocoder:
    """Read what `save` wrote, ready to speak on the processor.

    Raises:
        BadInputError: the directory holds no vocoder, or weights that do not fit its description.
        IntegrityError: the description or the weights cannot be read.
    """
    description = directory / DESCRIPTION
    if not description.is_file():
        raise BadInputError(f"{directory} contains no vocoder", f"Name a directory with a {DESCRIPTION}.")
    try:
        record = _Record.model_validate_json(description.read_bytes())
        kind = VOCODERS[record.type]
        spec = kind.settings.model_validate(record.spec)
    except (ValidationError, KeyError) as error:
        reason = first_mistake(error) if isinstance(error, ValidationError) else f"its type is {error}"
        message = f"{description} describes a vocoder that this version does not know ({reason})"
        raise IntegrityError(message, "Restore it from a copy, or import the vocoder again.") from error
    build = partial(kind.build, spec, record.mel)
    if kind.name == GRIFFIN_LIM:
        return build()
    weights = read_weights(directory / WEIGHTS)
    return build_strict(build, weights, f"the vocoder in {directory}", lambda vocoder: vocoder.network)


def load_vocoder(artifact: Artifact | None, mel: MelSpec, whose: str) -> Vocoder:
    """Load a vocoder, None for Griffin-Lim, to speak the mel of ``whose`` on the processor; every digest is verified.

    Raises:
        BadInputError: it understands another mel; both sides are named.
        IntegrityError: it is damaged.
    """
    if artifact is None:
        return GriffinLim(GriffinLimSpec(), mel)
    for entry in artifact.manifest.files:
        artifact.path(entry.path)  # verifies it
    vocoder = load(artifact.directory)
    require_mel(vocoder, mel, str(artifact), whose)
    return vocoder


def require_mel(vocoder: Vocoder, mel: MelSpec, called: str | None = None, whose: str = "its input") -> None:
    """Make sure that ``vocoder`` understands ``mel``; errors name both, and each setting on both sides.

    Raises:
        BadInputError: they differ.
    """
    theirs, ours = vocoder.mel.model_dump(), mel.model_dump()
    differing = [f"{key} {theirs[key]:g} instead of {ours[key]:g}" for key in ours if theirs[key] != ours[key]]
    if differing:
        name = f"vocoder {vocoder.name}" if called is None else called
        message = f"the {name} does not fit the mel of {whose}: {', '.join(differing)}"
        raise BadInputError(message, "Choose a vocoder trained with these mel settings.")
