"""Settings: frozen, documented, validated. What a model was trained with travels in its manifest as these.

A module is imported when one of its settings is asked for: to build all of them takes long.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxgrad.settings.audio import AudioSpec, CheckSpec, PrepareSpec
    from voxgrad.settings.model import (
        AcousticSpec,
        ISTFTSpec,
        MelSpec,
        ModelSpec,
        Positive,
        Quality,
        SourceFilterSpec,
        Spec,
        TextSpec,
    )
    from voxgrad.settings.synthesis import ConversionSpec, DeliverySpec, OnnxSpec, Sampler, Speed, SynthesisSpec
    from voxgrad.settings.training import (
        LossWeights,
        Preset,
        RunSpec,
        ScheduleSpec,
        StageSpec,
        TrainingOptions,
        TrainSpec,
        VocoderPreset,
        VocoderStageSpec,
        VocoderTrainSpec,
    )

_MODULES = ("model", "synthesis", "audio", "training")


def __getattr__(name: str) -> Any:
    for module in _MODULES:
        found = vars(import_module(f"{__name__}.{module}"))
        if name in found and not name.startswith("_"):
            globals()[name] = found[name]
            return found[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
