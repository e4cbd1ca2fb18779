"""Settings of the acoustic model: text front end, network sizes, and all that a base or voice carries."""

import difflib
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from voxgrad.errors import BadInputError
from voxgrad.settings.audio import MelSpec
from voxgrad.settings.base import Positive, Spec

Quality = Literal["draft", "default", "best"]
_STEPS: Final = {
    "unet": {"draft": 4, "default": 6, "best": 25},
    # Around a frame-level mean, two steps are heard as well as six: docs/synthesis.md.
    "convnext": {"draft": 1, "default": 2, "best": 6},
}

_POSTFILTER: Final = {"unet": 0.0, "convnext": 0.2}


class TextSpec(Spec):
    """How written English becomes token ids."""

    frontend: Literal["voxgrad", "official"] = "voxgrad"
    """``official`` repeats what the released checkpoints were trained on, quirks included."""
    add_blank: bool = True
    """Put a blank token between all tokens and at both ends."""


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
        """Evaluations of the score network that a quality takes."""
        return _STEPS[self.decoder][quality]

    @property
    def postfilter(self) -> float:
        """What `SynthesisSpec.postfilter` is where nothing else is asked for."""
        return _POSTFILTER[self.decoder]


class AcousticSpec(Spec):
    """What a base or a voice carries in its manifest, so that nothing else is needed to use it."""

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
            raise BadInputError(message, f"Similar: {', '.join(near)}. `voxgrad show` lists all.")
        return self.speakers[speaker]
