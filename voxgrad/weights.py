"""The settings and the weights of a base or a voice, wherever these lie."""

from voxgrad.errors import BadInputError
from voxgrad.packing import DIFFERENCE, WEIGHTS, Weights
from voxgrad.presets import validated
from voxgrad.settings import AcousticSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store


def acoustic_spec_of(artifact: Artifact) -> AcousticSpec:
    """What a base or a voice carries.

    Raises:
        BadInputError: its manifest holds other settings.
    """
    return validated(AcousticSpec, artifact.manifest.settings.get("acoustic", {}), artifact.ref)


def weights_of(artifact: Artifact, *, verify: bool = True) -> Weights:
    """The weights of an artifact, with those of its base where it is the difference from them.

    Where they are to speak, their digests are verified, which reads all of them.

    Raises:
        BadInputError: the base is not in the store.
        IntegrityError: a file is damaged.
    """
    place = artifact.path if verify else artifact.directory.joinpath
    if not any(file.path == DIFFERENCE for file in artifact.manifest.files):
        return Weights(place(WEIGHTS))
    return Weights(place(DIFFERENCE), weights_of(base_of(artifact), verify=verify))


def base_of(artifact: Artifact) -> Artifact:
    """What a voice was made from.

    Raises:
        BadInputError: it is not in the store.
        IntegrityError: the manifest names none.
    """
    parent = artifact.parent("base")
    store = Store.open(artifact.directory.parents[3])
    for kind in ("base", "voice"):
        for known in store.list(kind):
            if parent.digest in known.digests:
                return known
    raise BadInputError(
        f"{artifact} needs the weights of {parent.ref}, which is not in this store",
        "Import that base too, or a copy of the voice that was exported without --small.",
    )
