"""Settings of `say`: sampler, steps, temperature, speed, and what is done to the audio afterwards."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field

from voxgrad.samplers import SAMPLERS
from voxgrad.settings.base import Positive, Spec, one_of
from voxgrad.settings.model import ModelSpec, Quality


def _registered(name: str) -> str:
    return one_of(name, tuple(SAMPLERS))


Sampler = Annotated[str, AfterValidator(_registered)]
"""The name of one of `voxgrad.samplers`."""


class SynthesisSpec(Spec):
    """How a text is spoken."""

    sampler: Sampler = "unipc"
    """Solver of the reverse diffusion, one of `voxgrad.samplers`."""
    quality: Quality = "default"
    """Decides how many steps, where none are given: ``draft`` where speed counts more, ``best`` where quality does."""
    steps: Positive | None = None
    """Evaluations of the score network; None: what the quality comes to with it."""
    grid: float = Field(default=1.0, gt=0, le=4)
    """Power of the evenly spaced times from 1 to 0: 1 leaves them even, as the official code has them; below 1
    puts more of them near the noise."""
    start: Literal["mu", "zero"] = "mu"
    """What the noise at the start is centred on; ``zero`` is for the paper's comparison."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Standard deviation of the noise that the diffusion starts from: above 1 is livelier, 0 draws none. None: what
    the base or voice was measured to be best with. The official code divides by its temperature, so its 1.5 is our
    0.667."""
    speaker: str | None = None
    """One of the speakers of a base; None: its default."""
    speed: float = Field(default=1.0, gt=0.1, lt=10)
    """Above 1 is faster."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the score network. ``auto``: bfloat16 where the processor or GPU computes in it."""
    pitch_range: float = Field(default=1.0, ge=0, le=3)
    """Factor of the predicted melody's range around the speaker's mean, in models that predict pitch: 0 is monotone."""
    question_rise: float = Field(default=1.0, ge=0, le=1)
    """How far yes-no questions rise at their end, in models that predict pitch: 0 leaves them as predicted, 1 ends
    them two standard deviations above the speaker's mean."""
    postfilter: float | None = Field(default=None, ge=0, le=1)
    """Strength of the filter between mel and vocoder, which sharpens: see `voxgrad.model.gradtts.sharpen`. None: 0.2
    where the decoder is over frames, 0 for U-Nets."""
    durations: Literal["rounded", "official"] = "rounded"
    """``official`` rounds every token's duration up before it is scaled, which lengthens speech by about a
    tenth; ``rounded`` rounds the borders between tokens to the nearest frame."""

    def resolve_defaults(self, model: ModelSpec) -> Self:
        """The same with what depends on the model where it was not given."""
        found = {"steps": model.steps(self.quality), "postfilter": model.postfilter}
        return self.model_copy(
            update={name: value for name, value in found.items() if getattr(self, name) is None}
        )


class DeliverySpec(Spec):
    """What is done to the audio of a text once it is synthesised."""

    pitch: float = Field(default=0.0, ge=-12, le=12)
    """Semitones up, by Praat."""
    volume: float = Field(default=1.0, gt=0, le=10)
    """Factor of the samples; what would pass full scale is made quieter as a whole."""
    sentence_silence: float = Field(default=0.35, ge=0, le=10)
    """Seconds between sentences, from the end of one sound to the start of the next; twice as much between paragraphs,
    half after a semicolon, a third after a comma where a sentence is too long to be said at once."""
    edge_silence: float | None = Field(default=0.075, ge=0, le=10)
    """Seconds before the first sound and after the last. None leaves every passage with the silence that the model
    gave it, in its pauses too."""


class ConversionSpec(Spec):
    """What a conversion keeps of the recording beside its words."""

    timing: bool = True
    """Every token lasts as long as in the recording; else as long as the voice would have it."""
    melody: float = Field(default=1.0, ge=0, le=1)
    """Share of the recording's pitch, moved to the voice's median and range; the rest is the voice's own melody."""
    loudness: bool = True
    """It gets louder and softer where the recording does."""
