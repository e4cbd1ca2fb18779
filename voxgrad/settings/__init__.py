"""Settings: frozen, documented, validated. What a model was trained with travels in its manifest as these."""

from voxgrad.settings.audio import AudioSpec, CheckSpec, MelSpec, PrepareSpec
from voxgrad.settings.base import Spec
from voxgrad.settings.model import AcousticSpec, ModelSpec, Quality, TextSpec
from voxgrad.settings.onnx import OnnxSpec
from voxgrad.settings.synthesis import ConversionSpec, DeliverySpec, Sampler, Speed, SynthesisSpec
from voxgrad.settings.training import (
    LossWeights,
    Preset,
    RunSpec,
    ScheduleSpec,
    StageSpec,
    TrainingOptions,
    TrainSpec,
)
from voxgrad.settings.vocoder import (
    ISTFTSpec,
    SourceFilterSpec,
    VocoderPreset,
    VocoderStageSpec,
    VocoderTrainSpec,
)

__all__ = [
    "AcousticSpec",
    "AudioSpec",
    "CheckSpec",
    "ConversionSpec",
    "DeliverySpec",
    "ISTFTSpec",
    "LossWeights",
    "MelSpec",
    "ModelSpec",
    "OnnxSpec",
    "PrepareSpec",
    "Preset",
    "Quality",
    "RunSpec",
    "Sampler",
    "ScheduleSpec",
    "SourceFilterSpec",
    "Spec",
    "Speed",
    "StageSpec",
    "SynthesisSpec",
    "TextSpec",
    "TrainSpec",
    "TrainingOptions",
    "VocoderPreset",
    "VocoderStageSpec",
    "VocoderTrainSpec",
]
