"""A speaker whose score network torch compiles: minutes at first, see docs/synthesis.md for what they buy."""

from dataclasses import replace

import torch

from voxgrad.events import Emit, Said
from voxgrad.settings import SynthesisSpec
from voxgrad.speech.speaker import Speaker

_TOKENS = 31


def compiled(speaker: Speaker, settings: SynthesisSpec, emit: Emit) -> Speaker:
    """Compile the score network for utterances of any length, the same function to rounding.

    Args:
        speaker: whose network is compiled, in place.
        settings: whose precision counts.
        emit: told what it takes, and why it was not done where it could not be.

    Returns:
        The speaker as it was where there is no compiler.
    """
    emit(Said("compiling the score network, which takes minutes"))
    estimator = speaker.acoustic.model.decoder.estimator
    estimator.compile(dynamic=True)
    tokens = torch.arange(_TOKENS)[None] % speaker.acoustic.spec.model.n_vocab
    try:
        speaker.acoustic.model.synthesize(
            tokens,
            torch.tensor([_TOKENS]),
            settings.model_copy(update={"steps": 1}),
            torch.Generator().manual_seed(0),
            torch.tensor([speaker.acoustic.row]),
        )
    except (RuntimeError, OSError) as error:  # dynamo's and inductor's errors are RuntimeErrors
        estimator._compiled_call_impl = None  # noqa: SLF001 - torch has no other way back
        why = str(error).strip().partition("\n")[0]
        emit(Said(f"not compiled, and spoken without ({type(error).__name__}: {why[:120]})", "warning"))
        return speaker
    return replace(speaker, compiled=True)
