"""An audio file that voxgrad made → the same audio, reproduced."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

from voxgrad.audio.writers import open_writer, to_pcm
from voxgrad.errors import BadInputError
from voxgrad.events import Emit
from voxgrad.presets import validated
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.speech.cast import Cast, Member
from voxgrad.speech.performance import compile_synthesizer
from voxgrad.speech.provenance import CastMember, Recipe, Source
from voxgrad.speech.synthesizer import Synthesizer, carried_lexicon
from voxgrad.speech.text_input import with_progress
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.text.lexicon import Lexicon

_LOSSLESS = {"WAV", "FLAC"}
_TASK = "replay"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it.

    Attributes:
        seconds: of sound.
        identical: whether every sample is the same; None where the format of the first file keeps no samples.
    """

    seconds: float
    identical: bool | None


def replay(
    store: Store, source: Path, recipe: Recipe, target: Path, *, lexicon: Path | None, emit: Emit
) -> Replayed:
    """Speak again what a file says of itself, and compare.

    Args:
        store: where the voice and the vocoder are.
        source: the file.
        recipe: what it says.
        target: another audio file.
        lexicon: pronunciations that were given when it was made.
        emit: called with progress events.

    Raises:
        BadInputError: the recipe holds no text, or voice, vocoder or lexicon are not there.
        EnvironmentFailureError: the disk refuses.
    """
    if recipe.text is None:
        message = f"{source} was streamed while its text still came, and does not hold it"
        raise BadInputError(message, "Say the text again.")
    synthesis = validated(SynthesisSpec, recipe.synthesis, str(source))
    # Recipes from before it was a setting have every passage as the model made it.
    delivery = validated(DeliverySpec, {"edge_silence": None, **recipe.delivery}, str(source))
    speaker = _speaker(store, source, recipe, lexicon)
    if recipe.compiled:
        speaker = compile_synthesizer(speaker, synthesis, emit)
    cast = _cast(store, source, recipe, speaker, lexicon)
    again = speaker.recipe(recipe.text, synthesis, delivery, recipe.seed, cast)
    if again.sounds != recipe.sounds:
        changed = next(file for file, digest in recipe.sounds.items() if again.sounds.get(file) != digest)
        raise BadInputError(
            f"{changed} is not the sound that {source} plays", "Put the first one there again."
        )
    pieces = speaker.stream([recipe.text], synthesis, delivery, recipe.seed, cast)
    samples, same = 0, True
    with (
        _threads(recipe.threads),
        _lossless(source) as before,
        open_writer(target, speaker.rate, again.remark) as sink,
    ):
        for piece in with_progress(pieces, _TASK, None, emit):
            sink.write(piece.samples)
            samples += len(piece.samples)
            if same and before is not None:
                expected = before.read(len(piece.samples), dtype="int16")
                same = np.array_equal(expected, to_pcm(piece.samples))
        whole = before is None or before.frames == samples
        return Replayed(samples / speaker.rate, None if before is None else same and whole)


@contextmanager
def _lossless(source: Path) -> Iterator[soundfile.SoundFile | None]:
    """The audio of before, if its format keeps samples."""
    if source.suffix.lower() in {".m4b", ".m4a"}:  # which libsndfile does not read
        yield None
        return
    with soundfile.SoundFile(source) as before:
        yield before if before.format in _LOSSLESS else None


def _cast(store: Store, source: Path, recipe: Recipe, narrator: Synthesizer, lexicon: Path | None) -> Cast:
    """The voices of then; sounds lie beside the audio file, or in the working folder."""
    loaded = {narrator.voice.digest: narrator}

    def load(name: str) -> Synthesizer:
        member = recipe.cast[name]
        if member.voice.digest not in loaded:
            loaded[member.voice.digest] = _speaker(store, source, member, lexicon)
        return loaded[member.voice.digest]

    members = {name: Member(load(name), member.speaker) for name, member in recipe.cast.items()}
    beside, here = source.absolute().parent, Path.cwd()
    folder = beside if all((beside / file).is_file() for file in recipe.sounds) else here
    return Cast(narrator, folder=folder, known=members)


def _speaker(store: Store, source: Path, recipe: Recipe | CastMember, lexicon: Path | None) -> Synthesizer:
    voice = _found(store, recipe.voice, source)
    vocoder = None if recipe.vocoder is None else _found(store, recipe.vocoder, source)
    words = Lexicon.gather(store.home, carried_lexicon(voice), lexicon)
    if (words.sha256 if words else None) != recipe.lexicon:
        raise BadInputError(
            f"{source} was made with another lexicon",
            "Give the lexicon that was used with --lexicon.",
        )
    return Synthesizer.load(voice, vocoder, words)


def _found(store: Store, source: Source, owner: Path) -> Artifact:
    try:
        return store.find(f"@sha256:{source.digest}", source.kind)
    except BadInputError as error:
        message = f"the {source.kind} {source.ref} that made {owner} is not in this store"
        raise BadInputError(message, "Name the store that has it with --home.") from error


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """As many threads as were used then: sums of other numbers of threads round otherwise."""
    ours = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(ours)
