"""Settings: frozen, documented, validated. What a model was trained with travels in its manifest as these."""

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(gt=0)]


class Spec(BaseModel):
    """Base of all settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
        """Twelve hex digits that two mels share exactly when they mean the same."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and (a bound of) the highest value of a log-mel of sound within full scale."""
        return math.log(self.floor), math.log(self.n_fft / 4)

    @property
    def seconds_per_frame(self) -> float:
        """Seconds between frames."""
        return self.hop_length / self.sample_rate


class AudioSpec(Spec):
    """How a recording becomes a clip."""

    mel: MelSpec = MelSpec()
    trim: bool = True
    """Cut silence off both ends."""
    trim_threshold_db: float = Field(default=-40.0, lt=0)
    """dB below the clip's loudest intensity that count as silence."""
    trim_margin: float = Field(default=0.05, ge=0)
    """Seconds kept before the first and after the last sound."""
    high_pass_hz: float = Field(default=60.0, gt=0)
    """Rumble is what lies below."""
    rumble_db: float = -20.0
    """dB of the whole that rumble may have before it is filtered off."""
    loudness_lufs: float = Field(default=-23.0, lt=0)
    """ITU-R BS.1770 loudness that a clip is brought to."""
    true_peak_dbtp: float = Field(default=-1.0, le=0)
    """The gain is lowered where a peak, between samples too, would pass this."""
    min_seconds: float = Field(default=0.3, gt=0)
    """A shorter clip is rejected."""
    max_seconds: float = Field(default=15.0, gt=0)
    """A longer recording is cut at silences."""
    max_minutes: float = Field(default=100.0, gt=0)
    """A longer recording is rejected unread."""
    pause_seconds: float = Field(default=0.6, gt=0.1)
    """A long recording is cut at every pause of this length, and at shorter ones where pieces stay too long."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_seconds >= self.max_seconds:
            raise ValueError("min_seconds must lie below max_seconds")
        return self


class CheckSpec(Spec):
    """What a clip's measures must be. Beyond the first bound it is kept with a warning, beyond the second rejected."""

    warn_snr_db: float = 20.0
    reject_snr_db: float = 3.0
    """Signal to noise."""
    warn_clipped: float = Field(default=1e-3, ge=0, le=1)
    reject_clipped: float = Field(default=0.05, ge=0, le=1)
    """Share of the recording's samples that stand at its limit."""
    warn_bandwidth_hz: float = 7000.0
    reject_bandwidth_hz: float = 2500.0
    """Highest frequency that the recording holds."""
    warn_harmonicity_db: float = 3.0
    """Median of the voiced frames: hoarse or noisy below."""
    warn_phones_per_second: tuple[float, float] = (5.0, 22.0)
    reject_phones_per_second: tuple[float, float] = (1.5, 30.0)
    """Lowest and highest speech rate."""
    warn_gain_db: float = 30.0
    """Amplification that raises the noise too."""
    warn_offset: float = Field(default=0.02, ge=0)
    """Mean of the samples, which should be 0."""
    doubt_bounds: tuple[tuple[float, float], ...] = ((8.0, 99.0), (3.5, 0.5), (1.5, 0.3))
    """A text is doubted where its alignment's likelihood lies more than the first number of robust standard
    deviations below its peers', and its margin over the same words backwards below the second number times theirs."""


class PrepareSpec(Spec):
    """A preset file of ``prepare``: how recordings become clips, and what is expected of them."""

    description: str
    audio: AudioSpec = AudioSpec()
    checks: CheckSpec = CheckSpec()


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
    condition_encoder: bool = False
    """Give the speaker to the text encoder too; the official multi-speaker model does not."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.n_enc_channels % self.n_heads:
            raise ValueError("n_enc_channels must be a multiple of n_heads")
        if self.dec_dim % 8:
            raise ValueError("dec_dim must be a multiple of 8, the groups of its normalisation")
        return self


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


DRAFT_STEPS, BEST_STEPS = 4, 25
"""Of the score network, where speed counts more than sound, or sound more than speed."""


Sampler = Literal["unipc", "dpmpp", "ddim", "euler", "sde", "ml"]


class SynthesisSpec(Spec):
    """How a text is spoken."""

    sampler: Sampler = "unipc"
    """Solver of the reverse diffusion: UniPC, DPM-Solver++ 2M, its first order, the official Euler and
    Euler-Maruyama, DiffVC's maximum-likelihood one. ``sde`` and ``ml`` draw noise in every step."""
    steps: Positive = 6
    """Evaluations of the score network."""
    grid: float = Field(default=1.0, gt=0, le=4)
    """Power of the evenly spaced times from 1 to 0: 1 leaves them even, as the official code has them; below 1
    puts more of them near the noise."""
    start: Literal["mu", "zero"] = "mu"
    """What the noise at the start is centred on; ``zero`` is for the paper's comparison."""
    temperature: float = Field(default=0.667, ge=0, le=2)
    """Standard deviation of the noise that the diffusion starts from: above 1 is livelier, 0 repeats mu. The
    official code divides by its temperature, so its 1.5 is our 0.667."""
    speed: float = Field(default=1.0, gt=0.1, lt=10)
    """Above 1 is faster."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the score network. ``auto``: bfloat16 where the processor or GPU computes in it."""
    durations: Literal["rounded", "official"] = "rounded"
    """``official`` rounds every token's duration up before it is scaled, which lengthens speech by about a
    tenth; ``rounded`` rounds the borders between tokens to the nearest frame."""


class DeliverySpec(Spec):
    """What is done to the sound of a text once it is spoken."""

    pitch: float = Field(default=0.0, ge=-12, le=12)
    """Semitones up, by Praat."""
    volume: float = Field(default=1.0, gt=0, le=10)
    """Factor of the samples; what would pass full scale is made quieter as a whole."""
    sentence_silence: float = Field(default=0.35, ge=0, le=10)
    """Seconds between sentences; twice as much between paragraphs, half after a semicolon, a third after a
    comma where a sentence is too long to be said at once."""


class ScheduleSpec(Spec):
    """How long a stage of any training run lasts, and how fast it learns."""

    steps: Positive
    batch_size: Positive = 16
    """Utterances."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """At its peak; AdamW."""
    warmup: int = Field(default=0, ge=0)
    """Steps of linear rise to it."""
    final: float = Field(default=0.1, gt=0, le=1)
    """Share of the learning rate that a cosine leads down to at the last step."""
    interpolation: float = Field(default=1.0, gt=0, le=1)
    """Share of the way from the weights that the stage began with to the best that it found. Below 1, what a few
    minutes of speech teach is mixed with what is known of many: α of Wortsman et al. (CVPR 2022, WiSE-FT)."""


class StageSpec(ScheduleSpec):
    """One stage of training a Grad-TTS."""

    train: tuple[Literal["encoder", "durations", "decoder"], ...]
    """The parts that learn; the others stay as they are."""
    crop: int | None = Field(default=128, ge=8, multiple_of=4)
    """Frames of each utterance that the decoder sees (null: all). The encoder always sees all."""
    alignment: Literal["every_step", "frozen"] | Annotated[int, Field(ge=2)] = "frozen"
    """When alignments are searched: in every step, a number: every so many steps, or once when the stage begins."""
    settled: float = Field(default=0.005, ge=0, lt=1)
    """Every so many steps ends here: at a search that gives at most this share of the frames to another token.
    Alignments of every step do not settle, because dropout moves the means between steps."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.train:
            raise ValueError("train must name at least one of encoder, durations, decoder")
        if self.alignment != "frozen" and "encoder" not in self.train:
            raise ValueError(
                f"alignment {self.alignment} needs the encoder in train: alignments move only with it"
            )
        return self


class RunSpec(Spec):
    """What the stages of any training run share."""

    seed: int = Field(default=0, ge=0)
    held_out: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of the sentences (all takes of each) kept for validation."""
    validate_every: Positive = 250
    """Steps between validations."""
    checkpoint_every: Positive = 250
    """Steps between checkpoints."""
    patience: Positive | None = None
    """Validations without improvement after which a stage ends (null: never before its last step)."""
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    """Of the average of the weights that the result is made of."""
    clip_gradient: float = Field(default=1.0, gt=0)
    """Largest norm of a part's gradient: the encoder's, the decoder's."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """``auto``: bfloat16 where the processor or GPU computes in it."""


class LossWeights(Spec):
    """What each loss of a Grad-TTS counts; to leave one out, leave its part out of ``train``."""

    prior: float = Field(default=1.0, gt=0)
    """Of the encoder's own loss."""
    duration: float = Field(default=1.0, gt=0)
    diffusion: float = Field(default=1.0, gt=0)


class TrainSpec(RunSpec):
    """A training run of a Grad-TTS: its stages and what they share."""

    stages: tuple[StageSpec, ...] = Field(min_length=1)
    encoder_loss: Literal["gaussian", "l1", "l2", "none"] = "gaussian"
    """Distance of mel and mu that the encoder learns from; with ``none`` it learns from the decoder alone."""
    durations: str = "mas"
    """Where durations come from: ``mas``, searched whenever a stage's ``alignment`` says; ``frozen``, searched once
    with the model that the run begins with; ``textgrid:DIR``, read from DIR/<clip>.TextGrid."""
    weights: LossWeights = LossWeights()
    match_bands: bool = True
    """Of ``finetune``: before the first step, move and stretch the base's means in every mel band to where the new
    recordings lie."""

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        if self.durations not in {"mas", "frozen"} and self.grids is None:
            raise ValueError("durations is mas, frozen or textgrid:DIR")
        if self.encoder_loss != "none":
            return self
        if self.durations == "mas":
            raise ValueError(
                "encoder_loss none cannot go with durations mas: the search needs mu near the mel, and only the "
                "encoder's own loss brings it there; set durations to frozen or textgrid:DIR"
            )
        if any("encoder" in stage.train and "decoder" not in stage.train for stage in self.stages):
            raise ValueError(
                "with encoder_loss none the encoder learns from the decoder alone: train both in one stage, as "
                "stages.0.train=[encoder,durations,decoder]"
            )
        return self

    @property
    def grids(self) -> Path | None:
        """The folder of TextGrids that durations are read from."""
        source, _, folder = self.durations.partition(":")
        return Path(folder) if source == "textgrid" and folder else None


class VocoderStageSpec(ScheduleSpec):
    """One stage of training a vocoder."""

    crop: int = Field(default=64, ge=32)
    """Frames of each utterance."""
    adversarial: bool = False
    """Train discriminators too, and listen to them."""


class VocoderTrainSpec(RunSpec):
    """A training run of a vocoder: its stages and what they share."""

    stages: tuple[VocoderStageSpec, ...] = Field(min_length=1)
    copies: int = Field(default=1, ge=0, le=8)
    """Copies of every clip as another speaker: pitch, formants and speed shifted at random."""


class Preset(TrainSpec):
    """A preset file: a training run, and the model that ``pretrain`` builds (``finetune`` keeps its base's)."""

    description: str
    model: ModelSpec = ModelSpec()


class AcousticSpec(Spec):
    """What a base or a voice carries in its manifest, so that nothing else is needed to use it."""

    model: ModelSpec
    mel: MelSpec
    text: TextSpec
    speakers: dict[str, int]
    """Row of the speaker embedding, by name."""
    voice: str
    """The speaker that it speaks as unless told otherwise."""
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


class VocoderPreset(VocoderTrainSpec):
    """A preset file of `vocoder train`; fine-tuning keeps the model that it starts from."""

    description: str
    model: ISTFTSpec = ISTFTSpec()
