"""HiFi-GAN's generator, after section 2.2 of Kong, Kim and Bae (2020), "HiFi-GAN: Generative Adversarial
Networks for Efficient and High Fidelity Speech Synthesis"; and the official checkpoints of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

import torch
from pydantic import Field, ValidationError, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from voxgrad.errors import BadInputError
from voxgrad.model.checkpoint import build_strict
from voxgrad.model.untrusted import read_untrusted_checkpoint
from voxgrad.settings import MelSpec, Positive, Spec

Settings = TypeVar("Settings", bound=Spec)
_SLOPE = 0.1
# Magnitude and direction, as PyTorch named them before 2.0 and since.
_WEIGHT_NORM_NAMES = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)


_OFFICIAL_MEL = {
    "sampling_rate": "sample_rate",
    "n_fft": "n_fft",
    "win_size": "win_length",
    "hop_size": "hop_length",
    "num_mels": "n_mels",
    "fmin": "f_min",
    "fmax": "f_max",
}


class HiFiGANSpec(Spec):
    """Sizes of a generator, under the official names; the defaults are V1."""

    resblock: Literal["1", "2"] = "1"
    """``1``: each dilated convolution is followed by a plain one (V1, V2); ``2``: it stands alone (V3)."""
    upsample_rates: tuple[Positive, ...] = Field(default=(8, 8, 2, 2), min_length=1)
    """Their product is the mel's hop."""
    upsample_kernel_sizes: tuple[Positive, ...] = (16, 16, 4, 4)
    upsample_initial_channel: Positive = 512
    """Channels before the first upsampling; each one halves them."""
    resblock_kernel_sizes: tuple[Positive, ...] = Field(default=(3, 7, 11), min_length=1)
    resblock_dilation_sizes: tuple[tuple[Positive, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.upsample_kernel_sizes) != len(self.upsample_rates):
            raise ValueError("upsample_rates and upsample_kernel_sizes must have the same length")
        sizes = zip(self.upsample_kernel_sizes, self.upsample_rates, strict=True)
        if any(kernel < rate or (kernel - rate) % 2 for kernel, rate in sizes):
            raise ValueError("an upsampling kernel must exceed its rate by an even number or none")
        if len(self.resblock_dilation_sizes) != len(self.resblock_kernel_sizes):
            raise ValueError("resblock_kernel_sizes and resblock_dilation_sizes must have the same length")
        if any(kernel % 2 == 0 for kernel in self.resblock_kernel_sizes):
            raise ValueError("the kernels of the residual blocks must be odd")
        if self.upsample_initial_channel % 2 ** len(self.upsample_rates):
            raise ValueError("upsample_initial_channel must halve evenly at each upsampling")
        return self


class ResidualBlock(nn.Module):
    """Adds dilated convolutions to what they are given, (batch, channels, time) both ways."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], *, paired: bool) -> None:
        super().__init__()
        dilated = nn.ModuleList(_same(channels, kernel, dilation) for dilation in dilations)
        # The official names tell the two forms apart: convs1 with convs2, or convs alone.
        if paired:
            self.convs1 = dilated
            self.convs2 = nn.ModuleList(_same(channels, kernel, 1) for _ in dilations)
        else:
            self.convs = dilated
        self.paired = paired

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, time) both ways."""
        if self.paired:
            for first, second in zip(self.convs1, self.convs2, strict=True):
                x = x + second(_bend(first(_bend(x))))
        else:
            for convolution in self.convs:
                x = x + convolution(_bend(x))
        return x


class Generator(nn.Module):
    """The network itself, differentiable, under the parameter names of the official ``generator``."""

    def __init__(self, spec: HiFiGANSpec, n_mels: int) -> None:
        super().__init__()
        channels = spec.upsample_initial_channel
        self.conv_pre = nn.Conv1d(n_mels, channels, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for rate, kernel in zip(spec.upsample_rates, spec.upsample_kernel_sizes, strict=True):
            self.ups.append(nn.ConvTranspose1d(channels, channels // 2, kernel, rate, (kernel - rate) // 2))
            channels //= 2
            branches = zip(spec.resblock_kernel_sizes, spec.resblock_dilation_sizes, strict=True)
            self.resblocks.extend(
                ResidualBlock(channels, size, dilations, paired=spec.resblock == "1") for size, dilations in branches
            )
        self.conv_post = nn.Conv1d(channels, 1, 7, padding=3)
        self.branches = len(spec.resblock_kernel_sizes)

    def forward(self, mel: Tensor) -> Tensor:
        """(batch, n_mels, frames) becomes (batch, 1, frames * hop_length)."""
        x = self.conv_pre(mel)
        for level, upsample in enumerate(self.ups):
            x = upsample(_bend(x))
            # Multi-receptive field fusion: the mean over blocks of different reach.
            blocks = self.resblocks[level * self.branches : (level + 1) * self.branches]
            x = torch.stack([block(x) for block in blocks]).sum(0) / self.branches
        # The official code leaves this one slope at PyTorch's default of 0.01.
        return torch.tanh(self.conv_post(F.leaky_relu(x)))


@dataclass(frozen=True, eq=False)
class HiFiGAN:
    """A generator with the settings that it was made with."""

    spec: HiFiGANSpec
    mel: MelSpec
    network: Generator
    name: ClassVar = "hifigan"
    settings: ClassVar = HiFiGANSpec
    half_precision: ClassVar = False

    @classmethod
    def build(cls, spec: HiFiGANSpec, mel: MelSpec) -> Self:
        """Make one with random weights.

        Raises:
            BadInputError: the upsampling does not come out at the mel's hop.
        """
        upsampling = prod(spec.upsample_rates)
        if upsampling != mel.hop_length:
            message = f"upsample_rates multiply to {upsampling}, but the hop is {mel.hop_length} samples"
            raise BadInputError(message, "Use the config that came with the checkpoint.")
        return cls(spec, mel, Generator(spec, mel.n_mels).eval())

    @torch.inference_mode()
    def __call__(self, mel: Tensor) -> Tensor:
        """Speak (batch, n_mels, frames), which becomes (batch, frames * hop_length)."""
        return self.network(mel).squeeze(1)


def import_checkpoint(path: Path, config: Path) -> HiFiGAN:
    """Read an official HiFi-GAN checkpoint, whose state dict is bare or under ``generator``, and its ``config.json``.

    Raises:
        BadInputError: one of the two cannot be read, or they do not belong together.
    """
    settings = _read_config(config)
    spec = _parse(HiFiGANSpec, {name: settings[name] for name in HiFiGANSpec.model_fields}, config)
    mel = _parse(MelSpec, {ours: settings[theirs] for theirs, ours in _OFFICIAL_MEL.items()}, config)
    state = fold_weight_norm(read_untrusted_checkpoint(path, "generator"))
    return build_strict(
        lambda: HiFiGAN.build(spec, mel), state, f"the HiFi-GAN {path}", lambda vocoder: vocoder.network
    )


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
        raise BadInputError(f"{path} is not a HiFi-GAN config: it lacks {', '.join(missing)}", hint)
    # Some forks write the number, and null where a mel reaches up to half the sample rate.
    settings["resblock"] = str(settings["resblock"])
    if settings["fmax"] is None and isinstance(settings["sampling_rate"], int):
        settings["fmax"] = settings["sampling_rate"] / 2
    return settings


def _parse(kind: type[Settings], values: dict[str, Any], path: Path) -> Settings:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        message = f"{path} has a setting that cannot be used ({first_mistake(error)})"
        raise BadInputError(message, "Give the config.json that came with the checkpoint.") from error


def first_mistake(error: ValidationError) -> str:
    """Say where the first mistake is, and what."""
    detail = error.errors()[0]
    where = ".".join(str(part) for part in detail["loc"])
    return f"{where}: {detail['msg']}" if where else detail["msg"]


def fold_weight_norm(state: Mapping[str, Any]) -> dict[str, Any]:
    """Turn each magnitude and direction into the weight that they stand for, w = g v / |v|.

    Salimans and Kingma (2016), equation 2; the norm is taken over all dimensions but the first. Both of
    PyTorch's ways to name the two are known. Everything else passes through.

    Raises:
        BadInputError: one of the two is missing, no tensor, or of a shape that does not fit the other.
    """
    folded = dict(state)
    for names in _WEIGHT_NORM_NAMES:
        stems = {key.removesuffix(name) for name in names for key in state if key.endswith(f".{name}")}
        for stem in sorted(stems):
            magnitude, direction = (folded.pop(stem + name, None) for name in names)
            folded[f"{stem}weight"] = _weight(stem, magnitude, direction)
    return folded


def _weight(stem: str, magnitude: object, direction: object) -> Tensor:
    if isinstance(magnitude, Tensor) and isinstance(direction, Tensor) and direction.dim() > 1:
        v = direction.float()
        norm = torch.linalg.vector_norm(v, dim=tuple(range(1, v.dim())), keepdim=True)
        if norm.shape == magnitude.shape:
            return magnitude.float() * v / norm
    message = f"the weight norm of {stem.rstrip('.')} is not a magnitude with its direction"
    raise BadInputError(message, "Use the original checkpoint.")


def _same(channels: int, kernel: int, dilation: int) -> nn.Conv1d:
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=dilation * (kernel // 2))


def _bend(x: Tensor) -> Tensor:
    return F.leaky_relu(x, _SLOPE)
