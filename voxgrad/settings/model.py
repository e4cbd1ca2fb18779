"""The base class of all settings, and the settings of a base, voice or vocoder: mel, text, sizes of networks."""

import difflib
import hashlib
import json
import math
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from voxgrad.errors import BadInputError

Positive = Annotated[int, Field(gt=0)]


def either(names: Sequence[str]) -> str:
    """Names to choose from, joined for a sentence.

    >>> either(["a", "b", "c"])
    'a, b or c'
    """
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def one_of(names: Collection[str]) -> AfterValidator:
    """A validator that accepts only these names."""

    def validate(name: str) -> str:
        if name not in names:
            raise ValueError(f"choose {either(list(names))}")
        return name

    return AfterValidator(validate)


class Spec(BaseModel):
    """Base of all settings: immutable, and an unknown key is an error. A field's docstring is its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class MelSpec(Spec):
    """The log-mel spectrogram (HiFi-GAN's, which Grad-TTS shares)."""

    sample_rate: Positive = 22050
    """Hz."""
    n_fft: Positive = 1024
    """Samples."""
    win_length: Positive = 1024
    """Samples of the Hann window."""
    hop_length: Positive = 256
    """Samples between frames."""
    n_mels: Positive = 80
    """Bands."""
    f_min: float = Field(default=0.0, ge=0)
    """Hz, lower edge of the lowest band."""
    f_max: float = Field(default=8000.0, gt=0)
    """Hz, upper edge of the highest band."""
    floor: float = Field(default=1e-5, gt=0)
    """Magnitudes are clamped to this before the logarithm."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if max(self.win_length, self.hop_length) > self.n_fft:
            raise ValueError("win_length and hop_length must not exceed n_fft")
        if not self.f_min < self.f_max <= self.sample_rate / 2:
            raise ValueError("f_min must lie below f_max, and f_max at most at half the sample rate")
        return self

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits, equal exactly for equal settings."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and (a bound of) the highest value of a log-mel of audio within full scale."""
        return math.log(self.floor), math.log(self.n_fft / 4)

    @property
    def seconds_per_frame(self) -> float:
        """Seconds between frames."""
        return self.hop_length / self.sample_rate


Quality = Literal["draft", "default", "best"]
_STEPS: Final = {
    "unet": {"draft": 4, "default": 6, "best": 25},
    # Around a frame-level mean, two steps are heard as well as six: docs/synthesis.md.
    "convnext": {"draft": 1, "default": 2, "best": 6},
}

_POSTFILTER: Final = {"unet": 0.0, "convnext": 0.2}


class TextSpec(Spec):
    """How a text becomes token ids."""

    language: str = "en"
    """Its code, such as ``es``; languages other than English need the extra ``languages``."""

    frontend: Literal["voxgrad", "official"] = "voxgrad"
    """``official`` repeats what the released checkpoints were trained on, quirks included."""
    add_blank: bool = True
    """Put a blank token between all tokens and at both ends."""

    @model_serializer(mode="wrap")
    def _english_unnamed(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As it was written before there were languages where it is English."""
        content: dict[str, Any] = serialize(self)
        usual = type(self).model_fields["language"].default
        return {name: value for name, value in content.items() if name != "language" or value != usual}


class ModelSpec(Spec):
    """Sizes of a Grad-TTS, under the official names; the defaults are the released LJSpeech model's."""

    n_vocab: Positive = 149
    """Tokens, the blank included."""
    n_spks: Positive = 1
    """Speakers; 1 means no speaker embedding."""
    spk_emb_dim: Positive = 64
    n_enc_channels: Positive = 192
    filter_channels: Positive = 768
    filter_channels_dp: Positive = 256
    """Channels of the duration predictor."""
    n_heads: Positive = 2
    n_enc_layers: Positive = 6
    enc_kernel: Positive = 3
    enc_dropout: float = Field(default=0.1, ge=0, lt=1)
    window_size: Positive = 4
    """Reach of the relative positions in the encoder's attention, tokens each way."""
    n_feats: Positive = 80
    """Mel bands."""
    dec_dim: Positive = 64
    """Channels of the score network's first level."""
    beta_min: float = Field(default=0.05, gt=0)
    beta_max: float = Field(default=20.0, gt=0)
    pe_scale: Literal[1, 1000] = 1000
    """Scale of the time embedding: 1 for the oldest official checkpoint, 1000 for the others."""
    temperature: float = Field(default=0.667, ge=0, le=2)
    """Standard deviation of the noise that speech starts from unless `say` is given another."""
    condition_encoder: bool = False
    """Give the speaker to the text encoder too; the official multi-speaker model does not."""
    decoder: Literal["unet", "convnext"] = "unet"
    """The score network: the official U-Net over the mel as an image, or ConvNeXt blocks over frames around a
    frame-level mean that follows a predicted pitch. What follows is of ``convnext`` only."""
    frame_channels: Positive = 256
    """Channels of the pitch predictor and of the frame-level mean."""
    pitch_blocks: Positive = 4
    frame_blocks: Positive = 6
    frame_dropout: float = Field(default=0.05, ge=0, lt=1)
    score_channels: Positive = 384
    score_blocks: Positive = 8
    sigma_data: float = Field(default=0.5, gt=0)
    """Standard deviation of the mel around the frame-level mean (Karras et al., 2022)."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.n_enc_channels % self.n_heads:
            raise ValueError("n_enc_channels must be a multiple of n_heads")
        if self.dec_dim % 8:
            raise ValueError("dec_dim must be a multiple of 8, the groups of its normalisation")
        return self

    def steps(self, quality: Quality) -> int:
        """The number of diffusion steps of a quality."""
        return _STEPS[self.decoder][quality]

    @property
    def postfilter(self) -> float:
        """The default of `SynthesisSpec.postfilter`."""
        return _POSTFILTER[self.decoder]


class AcousticSpec(Spec):
    """The settings in the manifest of a base or a voice, all that is needed to use it."""

    model: ModelSpec
    mel: MelSpec
    text: TextSpec
    speakers: dict[str, int]
    """Row of the speaker embedding, by name."""
    voice: str
    """The default speaker."""
    duration_scale: float = Field(default=1.0, gt=0.25, lt=4)
    """Frames of the training clips over frames predicted for them. A predictor of log-durations learns their
    geometric mean, and so speaks too fast."""

    @model_validator(mode="after")
    def _known_voice(self) -> Self:
        if self.voice not in self.speakers:
            raise ValueError(f"voice {self.voice!r} is not among the speakers")
        if max(self.speakers.values()) >= self.model.n_spks:
            raise ValueError("a speaker's row lies outside the embedding")
        return self

    def row_of(self, speaker: str | None) -> int:
        """The embedding row of a speaker; None: the default.

        Raises:
            BadInputError: there is no such speaker.
        """
        if speaker is None:
            return self.speakers[self.voice]
        if speaker not in self.speakers:
            near = difflib.get_close_matches(speaker, self.speakers, cutoff=0.3) or [self.voice]
            message = f"there is no speaker {speaker} among the {len(self.speakers)} of this voice"
            raise BadInputError(message, f"Similar: {', '.join(near)}. `voxgrad ls speakers` lists all.")
        return self.speakers[speaker]


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
