"""Settings of `say`: speaker, speed, temperature, steps, and what is done to the audio afterwards.

Every field is an option of the command line, the server, the page and Python, with its docstring as its help: the first
sentence is what `-h` shows. See `voxgrad.options`.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field

from voxgrad.samplers import SAMPLERS
from voxgrad.settings.base import Spec, one_of
from voxgrad.settings.model import ModelSpec, Quality


def _registered(name: str) -> str:
    return one_of(name, tuple(SAMPLERS))


Sampler = Annotated[str, AfterValidator(_registered)]
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
    """Factor of the melody's range around the speaker's mean: 0 is monotone. Only models that predict pitch have it."""
    question_rise: float = Field(default=1.0, ge=0, le=1)
    """How far the pitch of yes-no questions rises at the end: 0 leaves it as predicted. At 1 it ends two standard
    deviations above the speaker's mean. Only models that predict pitch have it."""
    postfilter: float | None = Field(default=None, ge=0, le=1)
    """Strength of the filter that sharpens the mel before the vocoder (default: 0.2, with a U-Net 0). See
    `docs/synthesis.md`."""
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
    """Number of diffusion steps (default: 2, with a U-Net 6). Each is one evaluation of the score network."""
    sampler: Sampler = Field(default="unipc", json_schema_extra={"enum": list(SAMPLERS)})
    """Solver of the reverse diffusion. See `docs/synthesis.md`; `sde` and `ml` draw noise in every step."""
    grid: float = Field(default=1.0, ge=0.1, le=4)
    """Exponent of the diffusion times: 1 spaces them evenly, a lower value puts more of them near the noise."""
    start: Literal["mu", "zero"] = "mu"
    """Mean of the initial noise. `zero` is for the paper's comparison."""
    durations: Literal["rounded", "official"] = "rounded"
    """Rounding of durations to frames. `official` rounds every token up before scaling, which lengthens speech by about
    a tenth; `rounded` rounds the borders between tokens to the nearest frame."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the score network. `auto` is bfloat16 if the processor or GPU computes in it."""

    def resolve_defaults(self, model: ModelSpec) -> Self:
        """The same with what depends on the model where it was not given."""
        found = {"steps": model.steps(self.quality), "postfilter": model.postfilter}
        return self.model_copy(
            update={name: value for name, value in found.items() if getattr(self, name) is None}
        )


class DeliverySpec(Spec):
    """What is done to the audio of a text once it is synthesised."""

    pitch: float = Field(default=0.0, ge=-12, le=12, json_schema_extra={"unit": "semitones"})
    """Pitch shift, up or down. Praat's overlap-add leaves the formants unchanged."""
    volume: float = Field(default=1.0, ge=0.01, le=10)
    """Factor of the samples: above 1 is louder. An utterance that would clip is scaled down."""
    sentence_silence: float = Field(default=0.35, ge=0, le=10, json_schema_extra={"unit": "seconds"})
    """Silence between sentences. It is twice as long between paragraphs; where a long sentence is split, half as long
    after a semicolon, a third as long after a comma."""
    edge_silence: float | None = Field(default=0.075, ge=0, le=10, json_schema_extra={"unit": "seconds"})
    """Silence before the first sound and after the last. In Python, None keeps the silences that the model gave every
    passage, in its pauses too."""


class ConversionSpec(Spec):
    """What a conversion keeps of the recording beside its words."""

    timing: bool = True
    """Keep the duration of every sound and pause. Otherwise they last as long as the voice would make them."""
    melody: float = Field(default=1.0, ge=0, le=1)
    """Share of the recording's pitch, moved to the voice's median and range: 0 is the voice's own melody."""
    loudness: bool = True
    """Keep where the recording is louder and softer. The level follows it in windows of 150 ms, with at most 12 dB of
    gain."""
