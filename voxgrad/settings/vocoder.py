"""Settings of the vocoder and of its training."""

from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from voxgrad.settings.base import Positive, Spec, one_of
from voxgrad.settings.training import RunSpec, ScheduleSpec


class ISTFTSpec(Spec):
    """Sizes of the package's own vocoder."""

    channels: Positive = 256
    hidden: Positive = 512
    """Channels inside a block."""
    blocks: Positive = 8
    kernel: Positive = 7
    """Frames that a block looks at; odd."""
    iterations: Positive = 16
    """Of the search for phases that the network corrects."""
    final_iterations: int = Field(default=12, ge=0)
    """Of the search that follows the network."""

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError("kernel must be odd")
        return self


class SourceFilterSpec(Spec):
    """Sizes of the feed-forward vocoder."""

    channels: Positive = 192
    blocks: Positive = 6
    pitch_channels: Positive = 128
    """Of the network that reads the pitch off the mel."""
    pitch_blocks: Positive = 4
    pitch_bins: int = Field(default=128, ge=16)
    """From 50 to 600 Hz, evenly over the logarithm."""
    updates: int = Field(default=2, ge=0)
    """Multiplicative updates that move the excitation to the mel before it is filtered."""
    iterations: int = Field(default=0, ge=0)
    """Of phase reconstruction, after the filter."""
    revise_mel: bool = False
    """Let the network change the mel that these iterations move to, for a decoder's is smoother than speech."""


class VocoderStageSpec(ScheduleSpec):
    """One stage of training a vocoder."""

    crop: int = Field(default=64, ge=32)
    """Frames of each utterance."""
    adversarial: bool = False
    """Train discriminators too, and listen to them."""
    pitch: bool = False
    """Of a ``source_filter`` vocoder: train its pitch estimator alone, against Praat's pitch."""


class VocoderTrainSpec(RunSpec):
    """A training run of a vocoder: its stages and what they share."""

    stages: tuple[VocoderStageSpec, ...] = Field(min_length=1)
    copies: int = Field(default=1, ge=0, le=8)
    """Copies of every clip as another speaker: pitch, formants and speed shifted at random."""


TRAINABLE_VOCODERS: Final[dict[str, type[Spec]]] = {"istft": ISTFTSpec, "source_filter": SourceFilterSpec}
"""Settings of the vocoders that `vocoder train` trains, by kind."""


def _trainable(kind: str) -> str:
    return one_of(kind, tuple(TRAINABLE_VOCODERS))


class VocoderPreset(VocoderTrainSpec):
    """A preset file of `vocoder train`; fine-tuning keeps the model that it starts from."""

    description: str
    kind: Annotated[str, AfterValidator(_trainable)] = "source_filter"
    model: ISTFTSpec | SourceFilterSpec = SourceFilterSpec()

    @model_validator(mode="before")
    @classmethod
    def _model_of_kind(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The kinds have settings of the same names, which only the kind tells apart."""
        model = values.get("model", {})
        if not isinstance(model, dict):
            return values
        kind = values.get("kind", "source_filter")
        spec = TRAINABLE_VOCODERS.get(kind)
        return values if spec is None else {**values, "model": spec.model_validate(model)}
