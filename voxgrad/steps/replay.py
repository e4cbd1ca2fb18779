"""An audio file that voxgrad made → the same audio, reproduced."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from voxgrad.audio.io import to_pcm
from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import Emit
from voxgrad.files import sha256_of
from voxgrad.presets import validated
from voxgrad.settings import ConversionSpec, DeliverySpec, SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.voice.cast import Cast
from voxgrad.voice.load import choose_graphs, find_lexicon, open_voice
from voxgrad.voice.metadata import CastMember, Recipe, Recording, Source
from voxgrad.voice.speak import AudioTarget, SpokenPassage, with_progress
from voxgrad.voice.voice import SpeechJob, Voice

_LOSSLESS = {"WAV", "FLAC"}
_TASK = "replay"


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of `replay`.

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
    """Speak the ``recipe`` of an audio file again, into another file, and compare the samples.

    ``lexicon`` has the pronunciations that were given when it was made. What was converted is looked for beside the
    file and in the working folder, unless ``recording`` names it.

    Raises:
        BadInputError: the recipe holds no text, or voice, vocoder, lexicon or recording are not there.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    if recipe.text is None:
        message = f"{source} was streamed from standard input, so its metadata do not contain the text"
        raise BadInputError(message, "Speak the text again.")
    made = _Made(store, source, recipe, lexicon, emit)
    job = made.job(recipe.text)
    comparison = _Comparison(job.delivery.bits)
    with _threads(recipe.threads, job.voice), _lossless(source) as before:
        if recipe.recording is None:
            again, pieces = job.recipe, job.pieces()
            for file, digest in recipe.sounds.items():
                if again.sounds.get(file) != digest:
                    raise BadInputError(f"{file} is not the sound that {source} used", "Restore the original sound.")
        else:
            again, pieces = _converted(source, job, recipe.recording, recording)
        pieces = with_progress(comparison.of(pieces, before), _TASK, None, emit)
        seconds = AudioTarget(target).write(pieces, again, job.rate)
    return Replayed(seconds, comparison.identical)


@dataclass
class _Comparison:
    """Whether all samples so far are those of before; None: there are none."""

    bits: int
    identical: bool | None = None

    def of(self, pieces: Iterator[SpokenPassage], before: soundfile.SoundFile | None) -> Iterator[SpokenPassage]:
        """Hand pieces on, and compare them."""
        if before is None:
            yield from pieces
            return
        self.identical, samples, kind = True, 0, to_pcm(np.zeros(0), self.bits).dtype.name
        for piece in pieces:
            yield piece
            samples += len(piece.samples)
            if self.identical:
                expected = before.read(len(piece.samples), dtype=kind, always_2d=True)
                again = np.repeat(to_pcm(piece.samples, self.bits)[:, None], before.channels, axis=1)
                self.identical = np.array_equal(expected, again)
        self.identical = self.identical and before.frames == samples


def _converted(
    source: Path, job: SpeechJob, known: Recording, recording: Path | None
) -> tuple[Recipe, Iterator[SpokenPassage]]:
    # Only here, because they need torch and Praat.
    from voxgrad.conversion.convert import (  # noqa: PLC0415
        conversion_recipe,
        convert,
        read_source,
    )
    from voxgrad.voice.torch_engine import TorchEngine  # noqa: PLC0415

    voice, engine, text = job.voice, job.engine, job.text
    if not isinstance(engine, TorchEngine):
        raise IntegrityError(f"the recipe in {source} is damaged", "Use the original file.")
    kept = validated(ConversionSpec, known.conversion, str(source))
    places = [source.absolute().with_name(known.file), Path(known.file)] if recording is None else [recording]
    path = next((place for place in places if place.is_file()), None)
    if path is None or sha256_of(path) != known.sha256:
        raise BadInputError(
            f"{known.file}, from which {source} was converted, is missing"
            if path is None
            else f"{path.name} is not the recording that {source} was converted from",
            "Give its path with --recording.",
        )
    taken = read_source(path, text, engine.acoustic, job.synthesis.speaker, voice.lexicon, None)
    return conversion_recipe(job, known), convert(engine, taken, kept, job)


@contextmanager
def _lossless(source: Path) -> Iterator[soundfile.SoundFile | None]:
    """The audio of before, if its format keeps samples."""
    if source.suffix.lower() in {".m4b", ".m4a"}:  # which libsndfile does not read
        yield None
        return
    with soundfile.SoundFile(source) as before:
        yield before if before.format in _LOSSLESS else None


@dataclass(frozen=True)
class _Made:
    store: Store
    source: Path
    recipe: Recipe
    lexicon: Path | None
    emit: Emit

    def job(self, text: str) -> SpeechJob:
        """The job of then; sounds lie beside the audio file, or in the working folder."""
        recipe = self.recipe
        voices = {recipe.voice.digest: self._voice(recipe)}
        cast = Cast(voices[recipe.voice.digest])
        for name, member in recipe.cast.items():
            if member.voice.digest not in voices:
                voices[member.voice.digest] = self._voice(member)
            cast.voices[name] = voices[member.voice.digest].of_speaker(member.speaker)
        beside, here = self.source.absolute().parent, Path.cwd()
        cast.folder = beside if all((beside / file).is_file() for file in recipe.sounds) else here
        delivery = validated(DeliverySpec, recipe.delivery, str(self.source))
        return SpeechJob(text, cast, self.synthesis, delivery, recipe.seed)

    @property
    def synthesis(self) -> SynthesisSpec:
        """Its settings."""
        return validated(SynthesisSpec, self.recipe.synthesis, str(self.source))

    def _voice(self, member: Recipe | CastMember) -> Voice:
        voice = self._find(member.graph or member.voice)
        vocoder = None if member.vocoder is None or member.graph is not None else self._find(member.vocoder)
        words = find_lexicon(self.store, voice, self.lexicon)
        if (words.sha256 if words else None) != member.lexicon:
            raise BadInputError(
                f"{self.source} was made with another lexicon", "Pass the original lexicon with --lexicon."
            )
        graphs = None
        if self.recipe.engine == "onnx" and member.graph is None:
            graphs = choose_graphs(self.store, "onnx", voice, vocoder, self.synthesis, self.emit)
        return open_voice(self.store, voice, vocoder, words, graphs, self.recipe.threads).ready()

    def _find(self, source: Source) -> Artifact:
        try:
            return self.store.find(f"@sha256:{source.digest}", source.kind)
        except BadInputError as error:
            message = f"the {source.kind} {source.ref} that made {self.source} is not in this store"
            raise BadInputError(message, "Use --home with the store that contains it.") from error


def _threads(count: int, voice: Voice) -> AbstractContextManager[None]:
    """As many threads as were used then."""
    if voice.engine.threads == count:  # a graph was loaded for so many
        return nullcontext()
    # Only here, because those who only speak need no torch.
    from voxgrad.device import torch_threads  # noqa: PLC0415

    return torch_threads(count)
