"""An acoustic model with the settings that it was trained with, as bases and voices keep it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from voxgrad.device import computes_bfloat16, rounded_copy
from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.model.checkpoint import build_strict, read_weights, save_weights
from voxgrad.model.gradtts import GradTTS
from voxgrad.packing import DETAIL_GAINS, WEIGHTS
from voxgrad.settings import AcousticSpec
from voxgrad.store.artifact import Artifact
from voxgrad.weights import InLanguage, acoustic_spec_of, weights_of


@dataclass(frozen=True)
class AcousticModel:
    """A Grad-TTS and everything needed to use it."""

    model: GradTTS
    spec: AcousticSpec

    @property
    def row(self) -> int:
        """The embedding row of the voice that it speaks with."""
        return self.spec.speakers[self.spec.voice]

    def speaking(self, precision: str) -> GradTTS:
        """The model for synthesis in a precision; its weights must not change afterwards."""
        rounded = precision != "float32" and computes_bfloat16(torch.device("cpu"))
        # The sampler compares a U-Net's two precisions, for which it needs its weights as they are.
        return self._rounded if rounded and self.model.frame_prior is not None else self.model

    @cached_property
    def _rounded(self) -> GradTTS:
        return rounded_copy(self.model)

    def write(self, directory: Path, *, packed: bool = False) -> None:
        """Writes the weights into a directory, in 16 bits if ``packed``; the spec goes into the manifest."""
        save_weights(directory / WEIGHTS, self.model.state_dict(), packed=packed)


def load_acoustic_model(artifact: Artifact, language: InLanguage | None = None) -> AcousticModel:
    """Loads a base or a voice, ready to speak English or another language on the processor.

    Raises:
        BadInputError: it is the difference from a base that is not in the store.
        IntegrityError: its files or settings have changed since they were published.
    """
    settings = artifact.manifest.settings.get("acoustic")
    if not isinstance(settings, dict):
        raise IntegrityError(f"the manifest of {artifact.ref} describes no model", "Import a copy of it.")
    weights = read_weights(weights_of(artifact, language))
    try:
        spec = acoustic_spec_of(artifact, language)
        if spec.model.decoder == "convnext":  # weights from before there were gains
            weights.setdefault(DETAIL_GAINS, torch.ones(spec.model.n_spks, spec.model.n_feats))
        model = build_strict(lambda: GradTTS(spec.model), weights, artifact.ref)
    except BadInputError as error:
        # They are no input of the user, but were published so.
        raise IntegrityError(error.message, "Create it again with this version of voxgrad.") from error
    return AcousticModel(model.eval(), spec)
