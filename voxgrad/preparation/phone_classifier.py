"""Which phone sounds when: a small network over log-mels that knows no text and no speaker."""

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from voxgrad.settings import MelSpec
from voxgrad.text.symbols import CONSONANTS, VOWELS

CLASSES: Final = ("", *VOWELS, *CONSONANTS)
"""Silence, and the 39 phones without stress."""
WEIGHTS = "phone_classifier.safetensors"
STRIDE = 2
_CHANNELS = 144
_DILATIONS = (1, 2, 3)
_LOUD = 5.0  # nepers below the loudest frame
_PRIOR = 0.7
_LOWEST = -8.0


class PhoneClassifier(nn.Module):
    """Convolutions: normalised log-mel (batch, 80, frames) → logits (batch, 40, frames / 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.inp = nn.Conv1d(MelSpec().n_mels, _CHANNELS, 5, stride=STRIDE, padding=2)
        self.convs = nn.ModuleList(
            nn.Conv1d(_CHANNELS, _CHANNELS, 5, padding=2 * dilation, dilation=dilation)
            for dilation in _DILATIONS
        )
        self.norms = nn.ModuleList(nn.GroupNorm(1, _CHANNELS) for _ in _DILATIONS)
        self.out = nn.Conv1d(_CHANNELS, len(CLASSES), 1)
        self.log_prior = nn.Buffer(torch.zeros(len(CLASSES)))

    def forward(self, mel: Tensor) -> Tensor:
        """See the class."""
        hidden = F.relu(self.inp(mel))
        for convolution, norm in zip(self.convs, self.norms, strict=True):
            hidden = hidden + F.relu(convolution(norm(hidden)))
        logits: Tensor = self.out(hidden)
        return logits


def normalised(mel: Tensor) -> Tensor:
    """Takes the mean and the spread of the loud frames' bands off, and with them room, microphone and voice."""
    loud = mel.mean(0) > mel.mean(0).max() - _LOUD
    spread = mel[:, loud].std(1, keepdim=True, correction=0).clamp(min=0.5)
    return (mel - mel[:, loud].mean(1, keepdim=True)) / spread


@lru_cache(maxsize=1)
def _loaded() -> PhoneClassifier:
    model = PhoneClassifier()
    weights = load_file(Path(__file__).with_name(WEIGHTS))
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    return model.eval()


@torch.inference_mode()
def phone_likelihoods(mel: Tensor) -> NDArray[np.float64]:
    """Log-likelihoods of the phones but for a constant of every frame.

    Args:
        mel: log-mel of the default `voxgrad.settings.MelSpec`, (80, frames).

    Returns:
        (frames / 2, 40) in nats, of `CLASSES`: log-posteriors less 0.7 of the log-priors, -8 where lower.
    """
    model = _loaded()
    posteriors = torch.log_softmax(model(normalised(mel)[None])[0].T, 1)
    likelihoods: NDArray[np.float64] = (
        (posteriors - _PRIOR * model.log_prior).clamp(min=_LOWEST).double().numpy()
    )
    return likelihoods
