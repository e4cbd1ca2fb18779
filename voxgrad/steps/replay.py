"""An audio file that voxgrad made → the same audio, reproduced."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from voxgrad.audio.writers import open_writer, to_pcm
from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import Emit
from voxgrad.onnx.runtime import KIND, settings_of
from voxgrad.presets import validated
from voxgrad.settings import ConversionSpec, DeliverySpec, OnnxSpec, SynthesisSpec
from voxgrad.speech.cast import Cast, Member
from voxgrad.speech.engines import open_speaker, require_torch
from voxgrad.speech.provenance import CastMember, Recipe, Source
from voxgrad.speech.results import SpokenPassage
from voxgrad.speech.speaker import Speaker, carried_lexicon
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
    store: Store,
    source: Path,
    recipe: Recipe,
    target: Path,
    *,
    lexicon: Path | None,
    recording: Path | None = None,
    emit: Emit,
) -> Replayed:
    """Speak again what a file says of itself, and compare.

    Args:
        store: where the voice and the vocoder are.
        source: the file.
        recipe: what it says.
        target: another audio file.
        lexicon: pronunciations that were given when it was made.
        recording: what was converted; None: it is looked for beside the file and in the working folder.
        emit: called with progress events.

    Raises:
        BadInputError: the recipe holds no text, or voice, vocoder, lexicon or recording are not there.
        EnvironmentFailureError: the disk refuses.
    """
    if recipe.text is None:
        message = f"{source} was streamed while its text still came, and does not hold it"
        raise BadInputError(message, "Say the text again.")
    synthesis = validated(SynthesisSpec, recipe.synthesis, str(source))
    delivery = validated(DeliverySpec, recipe.delivery, str(source))
    speaker = _speaker(store, source, recipe, recipe, synthesis, lexicon, emit)
    with _threads(recipe.threads, speaker), _lossless(source) as before:
        if recipe.recording is not None:
            remark, pieces = _converted(source, recipe, speaker, synthesis, recording)
        else:
            cast = _cast(store, source, recipe, speaker, synthesis, lexicon, emit)
            remark, pieces = _spoken(source, recipe, speaker, synthesis, delivery, cast)
        return _compared(pieces, before, target, speaker.rate, remark, emit)


def _compared(
    pieces: Iterator[SpokenPassage],
    before: soundfile.SoundFile | None,
    target: Path,
    rate: int,
    remark: str,
    emit: Emit,
) -> Replayed:
    """Write what is spoken, and compare it with what was."""
    samples, same = 0, True
    with open_writer(target, rate, remark) as sink:
        for piece in with_progress(pieces, _TASK, None, emit):
            sink.write(piece.samples)
            samples += len(piece.samples)
            if same and before is not None:
                expected = before.read(len(piece.samples), dtype="int16")
                same = np.array_equal(expected, to_pcm(piece.samples))
        whole = before is None or before.frames == samples
    return Replayed(samples / rate, None if before is None else same and whole)


def _spoken(
    source: Path,
    recipe: Recipe,
    speaker: Speaker,
    synthesis: SynthesisSpec,
    delivery: DeliverySpec,
    cast: Cast,
) -> tuple[str, Iterator[SpokenPassage]]:
    """The remark and the sound of a text."""
    text = "" if recipe.text is None else recipe.text
    again = speaker.recipe(text, synthesis, delivery, recipe.seed, cast)
    if again.sounds != recipe.sounds:
        changed = next(file for file, digest in recipe.sounds.items() if again.sounds.get(file) != digest)
        raise BadInputError(
            f"{changed} is not the sound that {source} plays", "Put the first one there again."
        )
    return again.remark, speaker.stream([text], synthesis, delivery, recipe.seed, cast)


def _converted(
    source: Path, recipe: Recipe, speaker: Speaker, synthesis: SynthesisSpec, recording: Path | None
) -> tuple[str, Iterator[SpokenPassage]]:
    """The remark and the sound of a recording's conversion."""
    # Only here, because they need torch and Praat.
    from voxgrad.conversion.convert import convert, recipe_of  # noqa: PLC0415
    from voxgrad.conversion.source import read_source  # noqa: PLC0415
    from voxgrad.files import sha256_of  # noqa: PLC0415
    from voxgrad.speech.synthesizer import Synthesizer  # noqa: PLC0415

    known = recipe.recording
    if known is None or not isinstance(speaker, Synthesizer):
        raise IntegrityError(f"the recipe in {source} is damaged", "Use the original file.")
    kept = validated(ConversionSpec, known.conversion, str(source))
    places = [source.absolute().with_name(known.file), Path(known.file)] if recording is None else [recording]
    found = next((path for path in places if path.is_file()), None)
    if found is None or sha256_of(found) != known.sha256:
        raise BadInputError(
            f"{known.file} that {source} was converted from is not here"
            if found is None
            else f"{found.name} is not the recording that {source} was converted from",
            "Name it with --recording.",
        )
    text = "" if recipe.text is None else recipe.text
    taken = read_source(found, text, speaker.acoustic, synthesis.speaker, speaker.lexicon, None)
    again = recipe_of(speaker, text, known, synthesis, recipe.seed)
    return again.remark, convert(speaker, taken, kept, synthesis, recipe.seed)


@contextmanager
def _lossless(source: Path) -> Iterator[soundfile.SoundFile | None]:
    """The audio of before, if its format keeps samples."""
    if source.suffix.lower() in {".m4b", ".m4a"}:  # which libsndfile does not read
        yield None
        return
    with soundfile.SoundFile(source) as before:
        yield before if before.format in _LOSSLESS else None


def _cast(
    store: Store,
    source: Path,
    recipe: Recipe,
    narrator: Speaker,
    synthesis: SynthesisSpec,
    lexicon: Path | None,
    emit: Emit,
) -> Cast:
    """The voices of then; sounds lie beside the audio file, or in the working folder."""
    loaded = {recipe.voice.digest: narrator}

    def load(name: str) -> Speaker:
        member = recipe.cast[name]
        if member.voice.digest not in loaded:
            loaded[member.voice.digest] = _speaker(store, source, member, recipe, synthesis, lexicon, emit)
        return loaded[member.voice.digest]

    members = {name: Member(load(name), member.speaker) for name, member in recipe.cast.items()}
    beside, here = source.absolute().parent, Path.cwd()
    folder = beside if all((beside / file).is_file() for file in recipe.sounds) else here
    return Cast(narrator, folder=folder, known=members)


def _speaker(
    store: Store,
    source: Path,
    member: Recipe | CastMember,
    recipe: Recipe,
    synthesis: SynthesisSpec,
    lexicon: Path | None,
    emit: Emit,
) -> Speaker:
    """Loads a voice as it spoke then; ``recipe`` tells the engine."""
    graph = _graph(store, source, member, recipe, synthesis, emit) if recipe.engine == "onnx" else None
    voice = _found(store, member.voice, source) if graph is None else graph
    vocoder = None if member.vocoder is None or graph is not None else _found(store, member.vocoder, source)
    words = Lexicon.gather(store.home, carried_lexicon(voice), lexicon)
    if (words.sha256 if words else None) != member.lexicon:
        raise BadInputError(
            f"{source} was made with another lexicon",
            "Give the lexicon that was used with --lexicon.",
        )
    if graph is None:
        require_torch()
    return open_speaker(voice, vocoder, words, graph, recipe.threads)


def _graph(
    store: Store,
    source: Path,
    member: Recipe | CastMember,
    recipe: Recipe,
    synthesis: SynthesisSpec,
    emit: Emit,
) -> Artifact:
    """The graph that spoke: one made from the same voice and vocoder in the same way, or it is made again."""
    vocoder = member.vocoder
    if vocoder is None:
        raise BadInputError(f"the recipe in {source} names no vocoder", "Use the original file.")
    spec = validated(
        OnnxSpec,
        {"sampler": synthesis.sampler, "steps": synthesis.steps, "quantize": recipe.quantize},
        str(source),
    )
    for graph in store.list(KIND):
        parents = {role: parent.digest for role, parent in graph.manifest.parents.items()}
        if (
            parents == {"voice": member.voice.digest, "vocoder": vocoder.digest}
            and settings_of(graph)[1] == spec
        ):
            return graph
    voice, sound = _found(store, member.voice, source), _found(store, vocoder, source)
    require_torch()
    from voxgrad.onnx.derive import graph_of  # noqa: PLC0415 - it needs torch

    return graph_of(store, voice, sound, spec, emit)


def _found(store: Store, source: Source, owner: Path) -> Artifact:
    try:
        return store.find(f"@sha256:{source.digest}", source.kind)
    except BadInputError as error:
        message = f"the {source.kind} {source.ref} that made {owner} is not in this store"
        raise BadInputError(message, "Name the store that has it with --home.") from error


@contextmanager
def _threads(count: int, speaker: Speaker) -> Iterator[None]:
    """As many threads as were used then: sums of other numbers of threads round otherwise."""
    if speaker.threads == count:  # a graph was loaded for so many
        yield
        return
    # Only here, because those who only speak need no torch.
    import torch  # noqa: PLC0415

    ours = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(ours)
