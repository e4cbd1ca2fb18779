"""Settings of `say` and `convert`, and of an ONNX graph.

Every field of `SynthesisSpec`, `DeliverySpec` and `ConversionSpec` is an option of the command line, the server, the
page and Python, with its docstring as its help: the first sentence is what `-h` shows. See `voxgrad.options`.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AliasChoices, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from voxgrad.samplers import DETERMINISTIC, SAMPLERS
from voxgrad.settings.model import ModelSpec, Positive, Quality, Spec, one_of

Sampler = Annotated[str, one_of(SAMPLERS)]
"""The name of one of `voxgrad.samplers`."""
Speed = Annotated[float, Field(ge=0.2, le=5)]


class SynthesisSpec(Spec):
    """How a text is spoken."""

    speaker: str | None = Field(default=None, json_schema_extra={"metavar": "NAME"})
    """Speaker of a base, such as kathleen (default: the base's own). `voxgrad ls speakers` lists them."""
    language: str | None = Field(default=None, json_schema_extra={"metavar": "CODE"})
    """Language of the text: en, es, fr, it, pt, de or nl (default: the voice's own). auto guesses it for every
    paragraph. Needs voxgrad[languages]."""
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
    """Strength of the filter that sharpens the mel before the vocoder; 0: none (default: 0.2; with a U-Net: 0)."""
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
    """Precision of torch's score network; auto is bfloat16 if the processor or GPU computes in it."""

    def resolve_defaults(self, model: ModelSpec) -> Self:
        """The same with what depends on the model where it was not given."""
        found = {"steps": model.steps(self.quality), "postfilter": model.postfilter}
        return self.model_copy(update={name: value for name, value in found.items() if getattr(self, name) is None})


PURPOSES: Final[dict[str, dict[str, Any]]] = {
    "podcast": {"rate": 44100, "loudness": -16.0, "peak": -1.0, "bit_rate": 128},
    "audiobook": {"rate": 44100, "loudness": -20.0, "peak": -3.0, "bit_rate": 192, "edge_silence": 1.0},
    "phone": {"rate": 8000},
}
"""What a purpose sets: Apple's figures for podcasts, ACX's for audiobooks, and the sample rate of a telephone."""


_ALWAYS: Final = ("pitch", "volume", "sentence_silence", "edge_silence")


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
    purpose: Literal["podcast", "audiobook", "phone"] | None = Field(
        default=None, exclude=True, json_schema_extra={"option": "--for"}
    )
    """Podcast (44.1 kHz, -16 LUFS, mp3), audiobook (ACX: 44.1 kHz, -20 LUFS, peak -3 dB, mp3) or phone (8 kHz, wav).
    It also sets the bit rate, for audiobooks the silence at both ends, and the format where no file is named. Options
    that you give yourself have priority."""
    rate: Literal[8000, 16000, 24000, 44100, 48000] | None = None
    """Sample rate in Hz (default: the voice's own, 22050). A higher one adds no frequencies above the 11 kHz of the
    voice."""
    loudness: float | None = Field(default=None, ge=-40, le=-10, json_schema_extra={"unit": "LUFS"})
    """Loudness, such as -16 (default: as the voice speaks). Every passage is brought to it (ITU-R BS.1770), and the
    volume that SSML asks for is relative to it."""
    peak: float | None = Field(default=None, ge=-20, le=0, json_schema_extra={"unit": "dB"})
    """Highest true peak, which a limiter keeps (default: -1 with `loudness`, otherwise no limiter). It is measured at
    four times the sample rate, before the compression of a lossy format."""
    stereo: bool = False
    """Write two channels, which have the same sound."""
    bits: Literal[16, 24, 32] = 16
    """Bits of a sample of WAV, FLAC and raw audio. 32 is floating point, in WAV and raw audio only."""
    bit_rate: Literal[32, 48, 64, 96, 128, 160, 192, 256, 320] | None = None
    """Bit rate of MP3, AAC and Opus in kbit/s (default: 128, 64 and 32)."""

    @model_validator(mode="before")
    @classmethod
    def _suited_to_purpose(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**PURPOSES.get(str(values.get("purpose")), {}), **values}

    @model_validator(mode="after")
    def _one_level(self) -> Self:
        if self.loudness is not None and self.volume != 1:
            raise ValueError("volume and loudness cannot be used together: give one of them")
        return self

    @model_serializer(mode="wrap")
    def _as_asked(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As earlier releases wrote it where none of what they lack is asked for."""
        content: dict[str, Any] = serialize(self)
        usual = type(self).model_fields
        return {name: value for name, value in content.items() if name in _ALWAYS or value != usual[name].default}

    @property
    def channels(self) -> int:
        """Of the audio file."""
        return 2 if self.stereo else 1

    @property
    def format(self) -> str | None:
        """The usual format of the purpose."""
        return {"podcast": "mp3", "audiobook": "mp3", "phone": "wav"}.get(str(self.purpose))


class ConversionSpec(Spec):
    """What a conversion keeps of the recording beside its words."""

    timing: bool = True
    """Keep the duration of every sound and pause; otherwise the voice's own."""
    melody: float = Field(default=1.0, ge=0, le=1)
    """Share of the recording's melody, moved to the voice's median and range: 0 is the voice's own melody."""
    dynamics: bool = Field(default=True, validation_alias=AliasChoices("dynamics", "loudness"))
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
