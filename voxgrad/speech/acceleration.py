"""Faster speech: steps that a real-time factor allows, and torch.compile."""

import time
from collections.abc import Callable
from dataclasses import replace

import torch

from voxgrad.events import Emit, Said
from voxgrad.settings import SynthesisSpec
from voxgrad.speech.synthesizer import Synthesizer

MOST_STEPS = 50
_TOKENS = 61  # a short sentence
_REPEATS = 3


def fit_steps_to_rtf(
    synthesizer: Synthesizer, settings: SynthesisSpec, max_rtf: float, emit: Emit
) -> SynthesisSpec:
    """The settings with as many steps as keep the real-time factor below a limit.

    A short made-up sentence is spoken with one step and with three, so that what a step costs and what comes once is
    known of this machine, with all that it does besides.

    Args:
        synthesizer: whose network and vocoder are timed.
        settings: all but the steps is kept.
        max_rtf: seconds of work for a second of sound.
        emit: called with the chosen steps, and a warning where not even the minimum fits.
    """
    one, three = (_factor(synthesizer, settings, steps) for steps in (1, 3))
    least = synthesizer.spec.model.steps("draft")
    steps = affordable(one, (three - one) / 2.0, max_rtf, least)
    if one + (steps - 1) * (three - one) / 2.0 > max_rtf:
        emit(
            Said(
                f"{steps} steps are the minimum, and exceed a real-time factor of {max_rtf:g} here", "warning"
            )
        )
    else:
        emit(Said(f"{steps} diffusion steps fit into a real-time factor of {max_rtf:g}"))
    return settings.model_copy(update={"steps": steps})


def affordable(first: float, further: float, limit: float, least: int) -> int:
    """Steps within a limit, from what speaking with one step costs and what each further one adds.

    >>> affordable(0.1, 0.05, 0.3, 4), affordable(0.5, 0.2, 0.3, 4), affordable(0.01, 0.0, 0.3, 1)
    (5, 4, 50)
    >>> affordable(0.5, 0.0, 0.3, 1)
    1
    """
    # Of what one step exceeds, further steps allow none, even where the clock found them to cost nothing.
    room = (limit - first) / further if further > 0 else MOST_STEPS * (1 if first <= limit else -1)
    return int(min(max(1 + room + 1e-9, least), MOST_STEPS))


def _factor(synthesizer: Synthesizer, settings: SynthesisSpec, steps: int) -> float:
    acoustic = synthesizer.acoustic
    tokens = torch.arange(_TOKENS)[None] % acoustic.spec.model.n_vocab
    asked = settings.model_copy(update={"steps": steps})

    def speak() -> float:
        spoken = acoustic.speaking(settings.precision).synthesize(
            tokens,
            torch.tensor([_TOKENS]),
            asked,
            torch.Generator().manual_seed(0),
            torch.tensor([acoustic.row]),
            acoustic.spec.duration_scale,
        )
        synthesizer.audio(spoken.mel[0].clamp(*acoustic.spec.mel.range), settings.precision)
        return int(spoken.lengths) * acoustic.spec.mel.seconds_per_frame

    speak()  # the first call compiles and allocates
    return min(_timed(speak) for _ in range(_REPEATS))


def _timed(speak: Callable[[], float]) -> float:
    """Seconds of work for a second of sound."""
    started = time.perf_counter()
    seconds = speak()
    return (time.perf_counter() - started) / seconds


_TOKENS = 31


def compile_synthesizer(synthesizer: Synthesizer, settings: SynthesisSpec, emit: Emit) -> Synthesizer:
    """Compile the score network for utterances of any length, the same function to rounding.

    Args:
        synthesizer: whose network is compiled, in place.
        settings: whose precision counts.
        emit: called with remarks and, on failure, a warning.

    Returns:
        The speaker as it was where there is no compiler.
    """
    emit(Said("compiling the score network, which takes minutes"))
    model = synthesizer.acoustic.speaking(settings.precision)
    estimator = model.decoder.estimator
    estimator.compile(dynamic=True)
    tokens = torch.arange(_TOKENS)[None] % synthesizer.acoustic.spec.model.n_vocab
    try:
        model.synthesize(
            tokens,
            torch.tensor([_TOKENS]),
            settings.model_copy(update={"steps": 1}),
            torch.Generator().manual_seed(0),
            torch.tensor([synthesizer.acoustic.row]),
        )
    except (RuntimeError, OSError) as error:  # dynamo's and inductor's errors are RuntimeErrors
        estimator._compiled_call_impl = None  # noqa: SLF001 - torch has no other way back
        why = str(error).strip().partition("\n")[0]
        emit(
            Said(
                f"torch.compile failed, speaking without it ({type(error).__name__}: {why[:120]})", "warning"
            )
        )
        return synthesizer
    return replace(synthesizer, compiled=True)
