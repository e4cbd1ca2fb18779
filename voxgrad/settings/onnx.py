"""Settings of an ONNX graph."""

from typing import Literal

from voxgrad.settings.base import Positive, Spec

Quantize = Literal["none", "half", "int8"]


class OnnxSpec(Spec):
    """How a voice becomes one ONNX graph; all else of its synthesis is as the defaults have it."""

    sampler: Literal["unipc", "dpmpp", "ddim", "euler"] = "unipc"
    """Solver of the reverse diffusion, unrolled; those that draw noise in every step cannot be."""
    steps: Positive = 2
    """Evaluations of the score network, each in the graph."""
    quantize: Quantize = "none"
    """Weights: float32; float16, computed in float32; or 8-bit integers, multiplied as such where the graph
    multiplies matrices."""
