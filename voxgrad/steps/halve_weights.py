"""A base, a voice or a vocoder → the same with weights in half precision."""

import shutil
from typing import Final

import torch
from safetensors.torch import save_file

from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said
from voxgrad.model.checkpoint import read_weights
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store

STEP, VERSION = "halve weights", 1
_KINDS: Final = ("base", "voice", "vocoder")
_WEIGHTS: Final = "weights.safetensors"
_HALVED: Final = "half_precision"


def halve_weights(store: Store, artifact: Artifact, emit: Emit) -> Artifact:
    """Stores the weights of an artifact as float16, as its next version, or finds the one that was made before.

    Everything else stays: files, settings, metrics, parents, consent and licence. When loaded, the weights are
    float32 again.

    Args:
        store: where the artifact goes.
        artifact: a base, a voice or a vocoder.
        emit: called with a remark where nothing needs to be done.

    Raises:
        BadInputError: it has no weights, or one of them is too large for half precision.
        IntegrityError: it is damaged.
    """
    if artifact.kind not in _KINDS or not any(one.path == _WEIGHTS for one in artifact.manifest.files):
        raise BadInputError(f"{artifact} has no weights", "Name a base, a voice or a vocoder.")
    if artifact.manifest.settings.get(_HALVED) is True:
        emit(Said(f"the weights of {artifact.ref} are in half precision already"))
        return artifact
    parents = {**artifact.manifest.parents, "source": artifact.as_parent()}
    key = fingerprint(STEP, VERSION, {}, {"source": artifact.as_parent()}, {})
    if (known := store.matching(artifact.kind, key)) is not None:
        return known
    weights = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in read_weights(artifact.path(_WEIGHTS)).items()
    }
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise BadInputError(
                f"{name} of {artifact.ref} is too large for half precision", "Export it without --half."
            )
    with store.stage(artifact.kind, artifact.name) as staged:
        for entry in artifact.manifest.files:
            if entry.path != _WEIGHTS:
                target = staged.directory / entry.path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(artifact.path(entry.path), target)
        save_file(weights, staged.directory / _WEIGHTS)
        manifest = artifact.manifest
        return staged.publish(
            fingerprint=key,
            parents=parents,
            settings={**manifest.settings, _HALVED: True},
            seed=manifest.seed,
            device=manifest.device,
            tools={"torch": torch.__version__},
            metrics=manifest.metrics,
            consent=manifest.consent,
            licence=manifest.licence,
        )
