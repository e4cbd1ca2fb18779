"""How many steps of the diffusion this machine can afford."""

import time
from collections.abc import Callable

import torch

from voxgrad.events import Emit, Said
from voxgrad.settings import DRAFT_STEPS, SynthesisSpec
from voxgrad.speech.speaker import Speaker

MOST_STEPS = 50
_TOKENS = 61  # a short sentence
_REPEATS = 3


def pace(speaker: Speaker, settings: SynthesisSpec, max_rtf: float, emit: Emit) -> SynthesisSpec:
    """The settings with as many steps as keep the real-time factor below a limit.

    A short made-up sentence is spoken with one step and with three, so that what a step costs and what comes once is
    known of this machine, with all that it does besides.

    Args:
        speaker: whose network and vocoder are timed.
        settings: all but the steps is kept.
        max_rtf: seconds of work for a second of sound.
        emit: told of the steps, and where not even a draft fits.
    """
    one, three = (_factor(speaker, settings, steps) for steps in (1, 3))
    steps = affordable(one, (three - one) / 2.0, max_rtf)
    if one + (steps - 1) * (three - one) / 2.0 > max_rtf:
        emit(
            Said(f"{steps} steps are the fewest, and take more than {max_rtf:g} of real time here", "warning")
        )
    else:
        emit(Said(f"{steps} steps of the diffusion fit into {max_rtf:g} of real time"))
    return settings.model_copy(update={"steps": steps})


def affordable(first: float, further: float, limit: float) -> int:
    """Steps within a limit, from what speaking with one step costs and what each further one adds.

    >>> affordable(0.1, 0.05, 0.3), affordable(0.5, 0.2, 0.3), affordable(0.01, 0.0, 0.3)
    (5, 4, 50)
    """
    room = (limit - first) / further if further > 0 else MOST_STEPS
    return int(min(max(1 + room + 1e-9, DRAFT_STEPS), MOST_STEPS))


def _factor(speaker: Speaker, settings: SynthesisSpec, steps: int) -> float:
    acoustic = speaker.acoustic
    tokens = torch.arange(_TOKENS)[None] % acoustic.spec.model.n_vocab
    asked = settings.model_copy(update={"steps": steps})

    def speak() -> float:
        spoken = acoustic.model.synthesize(
            tokens,
            torch.tensor([_TOKENS]),
            asked,
            torch.Generator().manual_seed(0),
            torch.tensor([acoustic.row]),
            acoustic.spec.duration_scale,
        )
        speaker.engine(spoken.mel.clamp(*acoustic.spec.mel.range))
        return int(spoken.lengths) * acoustic.spec.mel.seconds_per_frame

    speak()  # the first call compiles and allocates
    return min(_timed(speak) for _ in range(_REPEATS))


def _timed(speak: Callable[[], float]) -> float:
    """Seconds of work for a second of sound."""
    started = time.perf_counter()
    seconds = speak()
    return (time.perf_counter() - started) / seconds
