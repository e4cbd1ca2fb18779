"""What every vocoder is; vocoders from and to directories and official files."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar

import torch
from pydantic import Field, TypeAdapter, ValidationError
from torch import Tensor, nn

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.model.checkpoint import build_strict, read_weights, save_weights
from voxgrad.model.untrusted import read_untrusted_checkpoint
from voxgrad.settings import ISTFTSpec, MelSpec, SourceFilterSpec, Spec
from voxgrad.store import Artifact
from voxgrad.vocoder.choice import DESCRIPTION
from voxgrad.vocoder.griffin_lim import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.hifigan import HiFiGAN, HiFiGANSpec, fold_weight_norm
from voxgrad.vocoder.istft_vocoder import ISTFTVocoder
from voxgrad.vocoder.source_filter import SourceFilterVocoder

Settings = TypeVar("Settings", bound=Spec)
TrainedVocoder = HiFiGAN | ISTFTVocoder | SourceFilterVocoder
Learnt = TypeVar("Learnt", HiFiGAN, ISTFTVocoder, SourceFilterVocoder)

WEIGHTS = "weights.safetensors"

_OFFICIAL_MEL = {
    "sampling_rate": "sample_rate",
    "n_fft": "n_fft",
    "win_size": "win_length",
    "hop_size": "hop_length",
    "num_mels": "n_mels",
    "fmin": "f_min",
    "fmax": "f_max",
}


class Vocoder(Protocol):
    """Turns log-mel spectrograms into audio; made for use, not for training."""

    @property
    def name(self) -> str:
        """The kind of vocoder, such as ``hifigan``."""
        ...

    @property
    def mel(self) -> MelSpec:
        """The spectrogram that it understands."""
        ...

    def __call__(self, mel: Tensor) -> Tensor:
        """Speak (batch, n_mels, frames), which becomes (batch, frames * hop_length), full scale at ±1."""
        ...


class _HiFiGANRecord(Spec):
    type: Literal["hifigan"] = "hifigan"
    spec: HiFiGANSpec
    mel: MelSpec


class _ISTFTRecord(Spec):
    type: Literal["istft"] = "istft"
    spec: ISTFTSpec
    mel: MelSpec


class _SourceFilterRecord(Spec):
    type: Literal["source_filter"] = "source_filter"
    spec: SourceFilterSpec
    mel: MelSpec


class _GriffinLimRecord(Spec):
    type: Literal["griffinlim"] = "griffinlim"
    spec: GriffinLimSpec
    mel: MelSpec


_AnyRecord = _HiFiGANRecord | _ISTFTRecord | _SourceFilterRecord | _GriffinLimRecord
_RECORD: TypeAdapter[_AnyRecord] = TypeAdapter(Annotated[_AnyRecord, Field(discriminator="type")])


def save(vocoder: TrainedVocoder | GriffinLim, directory: Path, dtype: torch.dtype | None = None) -> None:
    """Write ``vocoder.json`` and, where there are any, ``weights.safetensors`` into an existing directory.

    Args:
        vocoder: what to write.
        directory: where to.
        dtype: of the stored weights, such as ``torch.float16`` to halve the file; None keeps theirs.
    """
    if not isinstance(vocoder, GriffinLim):
        save_weights(directory / WEIGHTS, _network(vocoder).state_dict(), dtype)
    record: _AnyRecord
    if isinstance(vocoder, HiFiGAN):
        record = _HiFiGANRecord(spec=vocoder.spec, mel=vocoder.mel)
    elif isinstance(vocoder, ISTFTVocoder):
        record = _ISTFTRecord(spec=vocoder.spec, mel=vocoder.mel)
    elif isinstance(vocoder, SourceFilterVocoder):
        record = _SourceFilterRecord(spec=vocoder.spec, mel=vocoder.mel)
    else:
        record = _GriffinLimRecord(spec=vocoder.spec, mel=vocoder.mel)
    (directory / DESCRIPTION).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load(directory: Path, device: torch.device) -> TrainedVocoder | GriffinLim:
    """Read what `save` wrote, ready to speak on ``device``.

    Raises:
        BadInputError: the directory holds no vocoder, or weights that do not fit its description.
        IntegrityError: the description or the weights cannot be read.
    """
    description = directory / DESCRIPTION
    if not description.is_file():
        raise BadInputError(f"{directory} holds no vocoder", f"Name a directory with a {DESCRIPTION}.")
    try:
        record = _RECORD.validate_json(description.read_bytes())
    except ValidationError as error:
        message = f"{description} describes no vocoder that this version knows ({_first(error)})"
        raise IntegrityError(message, "Restore it from a copy, or import the vocoder again.") from error
    if isinstance(record, _GriffinLimRecord):
        return GriffinLim(record.spec, record.mel)
    weights, what = read_weights(directory / WEIGHTS), f"the vocoder in {directory}"
    vocoder: TrainedVocoder
    if isinstance(record, _ISTFTRecord):
        vocoder = build_strict(partial(ISTFTVocoder.build, record.spec, record.mel), weights, what, _network)
    elif isinstance(record, _SourceFilterRecord):
        vocoder = build_strict(
            partial(SourceFilterVocoder.build, record.spec, record.mel), weights, what, _network
        )
    else:
        vocoder = build_strict(partial(HiFiGAN.build, record.spec, record.mel), weights, what, _network)
    _network(vocoder).to(device)
    return vocoder


def _network(vocoder: TrainedVocoder) -> nn.Module:
    return vocoder.generator if isinstance(vocoder, HiFiGAN) else vocoder.network


def import_checkpoint(path: Path, config: Path) -> HiFiGAN:
    """Read an official HiFi-GAN checkpoint: a state dict, bare or under ``generator``, weight norm or none.

    Args:
        path: the checkpoint.
        config: the ``config.json`` that it was trained with.

    Raises:
        BadInputError: one of the two cannot be read, or they do not belong together.
    """
    settings = _read_config(config)
    spec = _parse(HiFiGANSpec, {name: settings[name] for name in HiFiGANSpec.model_fields}, config)
    mel = _parse(MelSpec, {ours: settings[theirs] for theirs, ours in _OFFICIAL_MEL.items()}, config)
    state = fold_weight_norm(read_untrusted_checkpoint(path, "generator"))
    return build_strict(partial(HiFiGAN.build, spec, mel), state, f"the HiFi-GAN {path}", _network)


def require_mel(
    vocoder: Vocoder, mel: MelSpec, called: str | None = None, whose: str = "the mel that it is given"
) -> None:
    """Make sure that ``vocoder`` understands ``mel``.

    Args:
        vocoder: what shall speak it.
        mel: what the mel is.
        called: what the error calls the vocoder, such as ``vocoder mine@v1``.
        whose: what the error calls the mel, such as ``voice alice@v1``.

    Raises:
        BadInputError: they differ; the message names both, and each setting on both sides.
    """
    theirs, ours = vocoder.mel.model_dump(), mel.model_dump()
    differing = [f"{key} {theirs[key]:g} against {ours[key]:g}" for key in ours if theirs[key] != ours[key]]
    if differing:
        name = f"vocoder {vocoder.name}" if called is None else called
        message = f"the {name} expects another mel than {whose}: {', '.join(differing)}"
        raise BadInputError(message, "Choose a vocoder trained with these mel settings.")


def _read_config(path: Path) -> dict[str, Any]:
    """Read an official ``config.json`` and see that it has every setting of the network and of the mel."""
    hint = "Give the config.json that came with the checkpoint."
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"{path} cannot be read ({error.strerror})", hint) from error
    except ValueError as error:
        raise BadInputError(f"{path} is not JSON ({error})", hint) from error
    needed = [*HiFiGANSpec.model_fields, *_OFFICIAL_MEL]
    missing = [name for name in needed if not isinstance(settings, dict) or name not in settings]
    if missing:
        raise BadInputError(f"{path} is no config of HiFi-GAN: it has no {', '.join(missing)}", hint)
    # Some forks write the number, and null where a mel reaches up to half the sample rate.
    settings["resblock"] = str(settings["resblock"])
    if settings["fmax"] is None and isinstance(settings["sampling_rate"], int):
        settings["fmax"] = settings["sampling_rate"] / 2
    return settings


def _parse(kind: type[Settings], values: dict[str, Any], path: Path) -> Settings:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        message = f"{path} has a setting that cannot be used ({_first(error)})"
        raise BadInputError(message, "Give the config.json that came with the checkpoint.") from error


def _first(error: ValidationError) -> str:
    """Say where the first mistake is, and what."""
    detail = error.errors()[0]
    where = ".".join(str(part) for part in detail["loc"])
    return f"{where}: {detail['msg']}" if where else detail["msg"]


def load_vocoder(artifact: Artifact | None, mel: MelSpec, whose: str) -> Vocoder:
    """Load a vocoder to speak on the processor, every digest verified.

    Args:
        artifact: None for Griffin-Lim.
        mel: what it shall speak.
        whose: mel that is, such as ``voice alice@v1``.

    Raises:
        BadInputError: it understands another mel; both sides are named.
        IntegrityError: it is damaged.
    """
    if artifact is None:
        return GriffinLim(GriffinLimSpec(), mel)
    for entry in artifact.manifest.files:
        artifact.path(entry.path)  # verifies it
    vocoder = load(artifact.directory, torch.device("cpu"))
    require_mel(vocoder, mel, str(artifact), whose)
    return vocoder
