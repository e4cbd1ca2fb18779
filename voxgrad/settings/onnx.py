"""Settings of an ONNX graph."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from voxgrad.samplers import DETERMINISTIC
from voxgrad.settings.base import Positive, Spec, one_of

Quantize = Literal["none", "half", "int8"]


def _deterministic(name: str) -> str:
    return one_of(name, DETERMINISTIC)


class OnnxSpec(Spec):
    """How a voice becomes one ONNX graph; all else of its synthesis is as the defaults have it."""

    sampler: Annotated[str, AfterValidator(_deterministic)] = "unipc"
    """Solver of the reverse diffusion, unrolled; those that draw noise in every step cannot be."""
    steps: Positive = 2
    """Evaluations of the score network, each in the graph."""
    quantize: Quantize = "none"
    """Weights: float32; float16, computed in float32; or 8-bit integers, multiplied as such where the graph
    multiplies matrices."""
