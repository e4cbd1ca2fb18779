"""Settings of `say` and `convert`, and of an ONNX graph.

Every field of `SynthesisSpec`, `DeliverySpec` and `ConversionSpec` is an option of the command line, the server, the
page and Python, with its docstring as its help: the first sentence is what `-h` shows. See `voxgrad.options`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field

from voxgrad.samplers import DETERMINISTIC, SAMPLERS
from voxgrad.settings.model import ModelSpec, Positive, Quality, Spec, one_of

Sampler = Annotated[str, one_of(SAMPLERS)]
"""The name of one of `voxgrad.samplers`."""
Speed = Annotated[float, Field(ge=0.2, le=5)]


class SynthesisSpec(Spec):
    """How a text is spoken."""

    speaker: str | None = Field(default=None, json_schema_extra={"metavar": "NAME"})
    """Speaker of a base, such as kathleen (default: the base's own). `voxgrad show` lists them."""
    speed: Speed = 1.0
    """Speaking rate: 2 is twice as fast."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Standard deviation of the initial noise: higher is livelier, and at 0 the seed has no effect (default: the
    voice's own). The official code divides by its temperature, so its 1.5 is our 0.667."""
    pitch_range: float = Field(default=1.0, ge=0, le=3)
    """Range of the melody around the speaker's mean pitch: 0 is monotone, 2 twice as wide. Only with models that
    predict pitch."""
    question_rise: float = Field(default=1.0, ge=0, le=1)
    """Rise of the pitch at the end of yes-no questions: 0 is none. At 1 it ends two standard deviations above the
    speaker's mean. Only with models that predict pitch."""
    postfilter: float | None = Field(default=None, ge=0, le=1)
    """Strength of the filter that sharpens the mel before the vocoder (default: 0.2; with a U-Net: 0)."""
    quality: Quality = Field(
        default="default",
        json_schema_extra={
            "flags": {
                "draft": "Use few diffusion steps: fast, lower quality.",
                "best": "Use many diffusion steps: slow, best quality.",
            },
            "excludes": "steps",
        },
    )
    """Number of diffusion steps by name: draft is fast, best is slow and sounds best. If `steps` is given too, it
    decides."""
    steps: int | None = Field(default=None, ge=1, le=1000)
    """Number of diffusion steps (default: 2; with a U-Net: 6)."""
    sampler: Sampler = Field(default="unipc", json_schema_extra={"enum": list(SAMPLERS)})
    """Solver of the reverse diffusion. See `docs/synthesis.md`; `sde` and `ml` draw noise in every step."""
    grid: float = Field(default=1.0, ge=0.1, le=4)
    """Exponent of the times of the steps: 1 spaces them evenly, a lower value puts more of them near the noise."""
    start: Literal["mu", "zero"] = "mu"
    """Mean of the initial noise. `zero` is for the paper's comparison."""
    durations: Literal["rounded", "official"] = "rounded"
    """Rounding of durations to frames: official rounds every token up, which lengthens speech by about a tenth."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the score network; auto is bfloat16 if the processor or GPU computes in it."""

    def resolve_defaults(self, model: ModelSpec) -> Self:
        """The same with what depends on the model where it was not given."""
        found = {"steps": model.steps(self.quality), "postfilter": model.postfilter}
        return self.model_copy(update={name: value for name, value in found.items() if getattr(self, name) is None})


class DeliverySpec(Spec):
    """What is done to the audio of a text once it is synthesised."""

    pitch: float = Field(default=0.0, ge=-12, le=12, json_schema_extra={"unit": "semitones"})
    """Pitch shift, up or down; the formants do not change."""
    volume: float = Field(default=1.0, ge=0.01, le=10)
    """Factor of the samples: above 1 is louder. An utterance that would clip is scaled down."""
    sentence_silence: float = Field(default=0.35, ge=0, le=10, json_schema_extra={"unit": "seconds"})
    """Silence between sentences. It is twice as long between paragraphs; where a long sentence is split, half as long
    after a semicolon, a third as long after a comma."""
    edge_silence: float | None = Field(default=0.075, ge=0, le=10, json_schema_extra={"unit": "seconds"})
    """Silence before the first sound and after the last. In Python, None keeps the model's own silences, between
    passages too."""


class ConversionSpec(Spec):
    """What a conversion keeps of the recording beside its words."""

    timing: bool = True
    """Keep the duration of every sound and pause; otherwise the voice's own."""
    melody: float = Field(default=1.0, ge=0, le=1)
    """Share of the recording's melody, moved to the voice's median and range: 0 is the voice's own melody."""
    loudness: bool = True
    """Keep the recording's changes of loudness. The level follows in windows of 150 ms, with at most 12 dB of gain."""


Quantize = Literal["none", "half", "int8"]


class OnnxSpec(Spec):
    """How a voice becomes one ONNX graph; all else of its synthesis is as the defaults have it."""

    sampler: Annotated[str, one_of(DETERMINISTIC)] = "unipc"
    """Solver of the reverse diffusion, unrolled; those that draw noise in every step cannot be."""
    steps: Positive = 2
    """Evaluations of the score network, each in the graph."""
    quantize: Quantize = "none"
    """Weights: float32; float16, computed in float32; or 8-bit integers, multiplied as such where the graph
    multiplies matrices."""
