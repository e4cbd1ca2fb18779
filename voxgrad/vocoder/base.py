"""What every vocoder is."""

from typing import Protocol

from torch import Tensor

from voxgrad.settings import MelSpec


class Vocoder(Protocol):
    """Turns log-mel spectrograms into sound; made for use, not for training."""

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
