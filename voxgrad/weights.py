"""The weights of a base or a voice, wherever they lie."""

from voxgrad.errors import BadInputError
from voxgrad.packing import DIFFERENCE, WEIGHTS, Weights
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store


def weights_of(artifact: Artifact) -> Weights:
    """The weights of an artifact, with those of its base where it is the difference from them; digests are verified.

    Raises:
        BadInputError: the base is not in the store.
        IntegrityError: a file is damaged.
    """
    if not any(file.path == DIFFERENCE for file in artifact.manifest.files):
        return Weights(artifact.path(WEIGHTS))
    return Weights(artifact.path(DIFFERENCE), weights_of(base_of(artifact)))


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
