"""Settings: frozen, documented, validated. What a model was trained with travels in its manifest as these.

A module is imported when one of its settings is asked for: to build all of them takes a tenth of a second.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxgrad.settings.audio import AudioSpec, CheckSpec, MelSpec, PrepareSpec
    from voxgrad.settings.base import Spec
    from voxgrad.settings.model import AcousticSpec, ModelSpec, Quality, TextSpec
    from voxgrad.settings.synthesis import ConversionSpec, DeliverySpec, OnnxSpec, Sampler, Speed, SynthesisSpec
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

_MODULES = ("base", "audio", "model", "synthesis", "training", "vocoder")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in _MODULES:
        if name in (found := vars(import_module(f"{__name__}.{module}"))):
            globals()[name] = found[name]
            return found[name]
    raise AttributeError(name)
