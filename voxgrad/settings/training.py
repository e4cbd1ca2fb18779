"""Settings of a training run, of a Grad-TTS or a vocoder: stages, losses and schedules."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from voxgrad.settings.model import ISTFTSpec, ModelSpec, Positive, SourceFilterSpec, Spec, one_of


class ScheduleSpec(Spec):
    """The number of steps of a training stage, and its learning rate."""

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
    rank: Positive | None = None
    """Of what a stage changes in every large matrix (null: any). The largest singular vectors are what it learnt; much
    of the rest is noise of few clips, which costs clearness."""


class StageSpec(ScheduleSpec):
    """One stage of training a Grad-TTS."""

    train: tuple[Literal["encoder", "durations", "decoder"], ...]
    """The parts that learn; the others stay as they are. In a ``convnext`` model the decoder includes the pitch
    predictor and the frame-level mean."""
    pitch: bool = True
    """Whether the pitch predictor learns with the decoder. Of minutes of speech it learns their melodies, and unlearns
    how other sentences go."""
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
            raise ValueError(f"alignment {self.alignment} needs the encoder in train: alignments move only with it")
        return self


class RunSpec(Spec):
    """The settings that all stages of a training run share."""

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


class TrainingOptions(Spec):
    """The options of all training commands, besides their presets."""

    data: str | None = Field(default=None, json_schema_extra={"metavar": "REF"})
    """Dataset to train on (default: the newest); `pretrain` takes several, REF,REF,…."""
    name: str | None = Field(default=None, json_schema_extra={"metavar": "NAME"})
    """Name of the result (default: the dataset's)."""
    overrides: tuple[str, ...] = Field(default=(), json_schema_extra={"option": "--set", "metavar": "KEY=VALUE"})
    """Change a key of the preset, such as stages.0.steps=100; repeatable."""
    budget: str | None = Field(default=None, json_schema_extra={"metavar": "TIME"})
    """Time for the whole command, such as 90s, 20m or 1h30m; every stage gets a share."""
    resume: bool = False
    """Continue RUN, or else the newest unfinished run."""
    tensorboard: Path | None = Field(default=None, json_schema_extra={"metavar": "DIR"})
    """Folder to write TensorBoard events to."""


class LossWeights(Spec):
    """The weight of each loss of a Grad-TTS; to leave a loss out, leave its part out of ``train``."""

    prior: float = Field(default=1.0, gt=0)
    """Of the encoder's own loss."""
    duration: float = Field(default=1.0, gt=0)
    diffusion: float = Field(default=1.0, gt=0)
    pitch: float = Field(default=0.5, gt=0)
    """Of predicted pitch and voicing each (``convnext``)."""
    mean: float = Field(default=1.0, gt=0)
    """Of the frame-level mean (``convnext``)."""


class TrainSpec(RunSpec):
    """A training run of a Grad-TTS: its stages and what they share."""

    stages: tuple[StageSpec, ...] = Field(min_length=1)
    encoder_loss: Literal["gaussian", "l1", "l2", "none"] = "gaussian"
    """Distance of mel and mu that the encoder learns from; with ``none`` it learns from the decoder alone."""
    durations: str = "mas"
    """Where durations come from: ``mas``, searched whenever a stage's ``alignment`` says; ``frozen``, searched once
    with the model that the run begins with; ``textgrid:DIR``, read from DIR/<clip>.TextGrid."""
    prosody: str | None = None
    """A file of sentences without audio (`voxgrad.training.prosody`). Of as many of them as a batch has utterances,
    durations and pitch are learnt in every step that trains durations."""
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
                "encoder_loss none cannot go with durations mas: the search needs mu near the mel, which only the "
                "encoder's own loss ensures; set durations to frozen or textgrid:DIR"
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


class Preset(TrainSpec):
    """A preset file: a training run, and the model that ``pretrain`` builds (``finetune`` keeps its base's)."""

    description: str
    model: ModelSpec = ModelSpec()


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


class VocoderPreset(VocoderTrainSpec):
    """A preset file of `vocoder train`; fine-tuning keeps the model that it starts from."""

    description: str
    kind: Annotated[str, one_of(TRAINABLE_VOCODERS)] = "source_filter"
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
