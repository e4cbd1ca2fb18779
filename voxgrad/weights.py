"""The settings and the weights of a base or a voice, wherever these lie, and in every language that it speaks.

Languages are the difference that training on them made to the weights of a base (Ilharco et al., "Editing models with
task arithmetic", ICLR 2023). Added to the weights of a voice that was made from that base, it makes the voice speak
them; in English, nothing of it is used.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from voxgrad.errors import BadInputError
from voxgrad.packing import DETAIL_GAINS, DIFFERENCE, WEIGHTS, Weights
from voxgrad.presets import validated
from voxgrad.settings import AcousticSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import Parent
from voxgrad.store.store import Store
from voxgrad.text.languages import name_of, named
from voxgrad.text.symbols import ENGLISH

LANGUAGE: Final = "language"
"""The kind of artifact that holds languages: several that were trained together."""
SOUND: Final = ("decoder.", DETAIL_GAINS)
"""What the names of the parameters begin with that make the fine sound: the score network and the postfilter.

In a voice, they are the person's in every language, and the rest is changed by the language. In a
language that the person was not heard in, the speaker embedding is that of the speaker of the base which the voice
began as: fitted to a minute of English, it lies where no other language was learnt. See docs/research/languages.md.
"""
InLanguage = tuple[Artifact, str]
"""What teaches a language, and its code."""


def acoustic_spec_of(artifact: Artifact, language: InLanguage | None = None) -> AcousticSpec:
    """What a base or a voice carries; in a language beside English, with the speakers that were learnt with it.

    Raises:
        BadInputError: its manifest holds other settings.
    """
    spec = validated(AcousticSpec, artifact.manifest.settings.get("acoustic", {}), artifact.ref)
    if language is None:
        return spec
    learnt, code = acoustic_spec_of(language[0]), language[1]
    model = spec.model.model_copy(update={"n_vocab": learnt.model.n_vocab, "n_spks": learnt.model.n_spks})
    new = {name: row for name, row in learnt.speakers.items() if row >= spec.model.n_spks and name not in spec.speakers}
    settings, is_own = language[0].manifest.settings, spec.text.language == code
    scales: dict[str, float] = settings.get("duration_scales", {})
    return spec.model_copy(
        update={
            "model": model,
            "text": spec.text.model_copy(update={"language": code}),
            "speakers": {**spec.speakers, **new},
            "voice": spec.voice if is_own or artifact.kind == "voice" else settings["voices"][code],
            "duration_scale": spec.duration_scale if is_own else scales.get(code, learnt.duration_scale),
        }
    )


def taught(artifact: Artifact, store: Store, code: str) -> InLanguage | None:
    """Who teaches a base or a voice a language; None for English.

    Raises:
        BadInputError: it does not speak it.
    """
    if code == ENGLISH:
        return None
    found = languages_of(artifact, store)
    if code not in found:
        raise not_spoken(artifact, code, spoken_by(artifact, found))
    return found[code], code


def not_spoken(artifact: Artifact, code: str, spoken: Iterable[str]) -> BadInputError:
    """Why a base, a voice or a graph of one does not speak a language, with those that it speaks."""
    parents = artifact.manifest.parents
    if code == own_language(artifact) and (learnt := parents.get("language")) is not None:
        message = f"{artifact.ref} speaks {name_of(code)} by {learnt.ref}, which is not in this store"
        return BadInputError(message, f"Import language {learnt.ref}, or speak {named(spoken)}.")
    hint = f"It speaks {named(spoken)}."
    if (exported := parents.get("voice")) is not None:
        hint += f" Export {exported.ref} with --language {code}."
    return BadInputError(f"{artifact.ref} does not speak {name_of(code)}", hint)


def weights_of(artifact: Artifact, language: InLanguage | None = None, *, verify: bool = True) -> Weights:
    """The weights of an artifact, with those of its base where it is the difference from them, and those of a language.

    Where they are to speak, their digests are verified, which reads all of them.

    Raises:
        BadInputError: the base is not in the store.
        IntegrityError: a file is damaged.
    """
    made = artifact if language is None else language[0]
    place = made.path if verify else made.directory.joinpath
    if language is not None:
        spoken, in_voice = weights_of(artifact, verify=verify), artifact.kind == "voice"
        embedding = None
        if in_voice and own_language(artifact) != language[1]:
            embedding = weights_of(_in_store_of(artifact, language[0].parent("base")), verify=verify)
        return Weights(place(DIFFERENCE), spoken, SOUND if in_voice else (), embedding)
    if not any(file.path == DIFFERENCE for file in artifact.manifest.files):
        return Weights(place(WEIGHTS))
    return Weights(place(DIFFERENCE), weights_of(base_of(artifact), verify=verify))


def base_of(artifact: Artifact) -> Artifact:
    """What a voice was made from.

    Raises:
        BadInputError: it is not in the store.
        IntegrityError: the manifest names none.
    """
    return _in_store_of(artifact, artifact.parent("base"))


def _in_store_of(artifact: Artifact, parent: Parent) -> Artifact:
    found = _trained(Store.open(artifact.directory.parents[3]), parent.digest)
    if found is not None:
        return found
    raise BadInputError(
        f"{artifact} needs the weights of {parent.ref}, which is not in this store",
        "Import that base too, or a copy of the voice that was exported without --small.",
    )


def _trained(store: Store, digest: str) -> Artifact | None:
    """The base or voice of a digest."""
    made = (known for kind in ("base", "voice") for known in store.list(kind))
    return next((known for known in made if digest in known.digests), None)


def origins(artifact: Artifact, store: Store) -> Iterator[str]:
    """The digests of what an artifact was made from by training, itself first."""
    made: Artifact | None = artifact
    yield artifact.digest
    while made is not None:
        parents = made.manifest.parents
        parent = parents.get("base", parents.get("source"))  # of which it is a copy in 8 bits
        if parent is None:
            return
        yield parent.digest
        made = _trained(store, parent.digest)


def own_language(artifact: Artifact) -> str:
    """The code of what an artifact was made from speech in."""
    code: str = artifact.manifest.settings.get("acoustic", {}).get("text", {}).get("language", ENGLISH)
    return code


def name_in(artifact: Artifact, code: str) -> str:
    """What a base or a voice is called where it speaks one language alone."""
    return artifact.name if code == own_language(artifact) else f"{artifact.name}-{code}"


def spoken_by(artifact: Artifact, languages: Iterable[str]) -> tuple[str, ...]:
    """The codes of the languages that a base or a voice speaks, its own first; ``languages`` are those of its base."""
    return tuple(sorted((ENGLISH, *languages), key=lambda code: code != own_language(artifact)))


def languages_of(artifact: Artifact, store: Store) -> dict[str, Artifact]:
    """Who teaches a base or a voice each of its languages beside English, by code: the newest artifact that does."""
    found: dict[str, Artifact] = {}
    listed = [language for language in store.list(LANGUAGE) if "base" in language.manifest.parents]
    if not listed:
        return found
    bases = set(origins(artifact, store))
    for language in sorted(listed, key=lambda made: (not made.embedded, made.manifest.created)):
        if language.parent("base").digest in bases:
            found |= dict.fromkeys(language.manifest.settings["languages"], language)
    return found
