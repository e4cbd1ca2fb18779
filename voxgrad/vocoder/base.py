"""What every vocoder is."""

from typing import Protocol

from torch import Tensor

from voxgrad.specs import MelSpec


class Vocoder(Protocol):
    """Turns log-mel spectrograms into sound; made for use, not for training.

    Attributes:
        name: the kind of vocoder, such as ``hifigan``.
        mel: the spectrogram that it understands.
    """

    @property
    def name(self) -> str: ...

    @property
    def mel(self) -> MelSpec: ...

    def __call__(self, mel: Tensor) -> Tensor:
        """Speak (batch, n_mels, frames), which becomes (batch, frames * hop_length), full scale at ±1."""
        ...
