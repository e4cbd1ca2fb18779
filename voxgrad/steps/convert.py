"""Recordings → the same said by a voice, an audio file each; a recording or a mel → what a vocoder makes of it."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from voxgrad.audio.io import Waveform, read_audio, resample
from voxgrad.audio.mel import ENDINGS, PICKLES, log_mel, read_mel
from voxgrad.conversion.convert import conversion_job, conversion_recipe, read_source
from voxgrad.conversion.convert import convert as spoken
from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import Advanced, Began, Emit, Ended, Said, Skipped
from voxgrad.files import sha256_of
from voxgrad.preparation.speech_recognition import Recogniser
from voxgrad.settings import ConversionSpec, DeliverySpec, MelSpec, SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.vocoder.choice import mel_of
from voxgrad.vocoder.registry import load_vocoder
from voxgrad.voice.metadata import Recording
from voxgrad.voice.speak import AudioTarget, SpokenPassage
from voxgrad.voice.torch_engine import TorchEngine
from voxgrad.voice.voice import SpeechJob, Voice

_CONVERT, _VOCODE = "convert", "vocode"


@dataclass(frozen=True)
class ConversionJob:
    """A recording to convert.

    Attributes:
        recording: an audio file.
        text: what is said in it; None: the recogniser writes it down.
        target: where the speech goes.
        seconds: of sound, once it is converted; None where it was there already.
    """

    recording: Path
    text: str | None
    target: AudioTarget
    seconds: float | None = None


@dataclass(frozen=True)
class ConversionOptions:
    """The options of a conversion.

    Attributes:
        kept: what is kept of the recordings.
        synthesis: steps, temperature, speaker.
        delivery: what the audio files are like.
        seed: of all noise.
        recogniser: for recordings without a text; None: there is none.
    """

    kept: ConversionSpec
    synthesis: SynthesisSpec
    delivery: DeliverySpec
    seed: int
    recogniser: Recogniser | None


def convert(
    jobs: Sequence[ConversionJob], voice: Voice, options: ConversionOptions, emit: Emit
) -> Iterator[ConversionJob]:
    """Convert recordings one after another by a voice of torch, each into a file that appears complete.

    A file that says of itself that it was made just so is left as it is. One of several recordings that cannot be
    converted is reported, and the others are.

    Raises:
        BadInputError: one of them cannot be converted.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    emit(Began(_CONVERT, len(jobs), "recordings"))
    refused = 0
    for done, job in enumerate(jobs):
        try:
            yield _convert_one(job, voice, options, emit, done)
        except BadInputError as error:
            if len(jobs) == 1:
                raise
            refused += 1
            emit(Said(f"{job.recording}: {error}", "warning"))
        emit(Advanced(_CONVERT, done + 1))
    emit(Ended(_CONVERT))
    if refused:
        raise BadInputError(
            f"{refused} of {len(jobs)} recordings were not converted",
            "Fix the problems in the warnings, and run it again.",
        )


def _convert_one(job: ConversionJob, voice: Voice, options: ConversionOptions, emit: Emit, done: int) -> ConversionJob:
    kept, synthesis, name = options.kept, options.synthesis, job.recording.name
    recording = Recording(file=name, sha256=sha256_of(job.recording), conversion=kept.model_dump())

    def speech(text: str) -> SpeechJob:
        return conversion_job(voice, text, synthesis, options.delivery, options.seed)

    if job.text is not None and job.target.was_made_by(conversion_recipe(speech(job.text), recording)):
        emit(Skipped(_CONVERT))
        return job
    emit(Advanced(_CONVERT, done, f"{name}: analysing"))
    engine = speech("").engine
    if not isinstance(engine, TorchEngine):
        raise TypeError(f"{voice.artifact} is not spoken by torch")
    source = read_source(job.recording, job.text, engine.acoustic, synthesis.speaker, voice.lexicon, options.recogniser)
    if source.skipped:
        message = f"no words were found in {source.skipped:.1f} s of {source.name}, so these are silent"
        emit(Said(message, "warning"))

    said = speech(source.text)

    def pieces() -> Iterator[SpokenPassage]:
        count = len(source.pieces) + 1  # the last is the silence at the end
        for number, piece in enumerate(spoken(engine, source, kept, said), 1):
            yield piece
            emit(Advanced(_CONVERT, done + number / count, name))

    seconds = job.target.write(pieces(), conversion_recipe(said, recording), said.rate)
    return replace(job, text=source.text, seconds=round(seconds, 4))


@dataclass(frozen=True)
class Copy:
    """What became of a recording.

    Attributes:
        waveform: as long as the recording, or ``frames * hop_length`` samples of a mel.
        mel_l1: mean absolute difference of the log-mels that went in and came out.
        real_time_factor: seconds that the vocoder took for a second of sound.
    """

    waveform: Waveform
    mel_l1: float
    real_time_factor: float


def vocode(source: Path, vocoder: Artifact | None, emit: Emit) -> Copy:
    """Copy a recording through a vocoder, so that the vocoder can be judged.

    A recording is read as any other, and resampled to the vocoder's rate; it is neither trimmed nor levelled. Unlike
    other steps this one writes no artifact: a copy judges a vocoder and is no speech, so nothing is made from it. A
    log-mel, as `read_mel` takes it, is copied too; without a vocoder, Griffin-Lim speaks.

    Raises:
        BadInputError: the file cannot be used, or is another mel than the vocoder's.
        IntegrityError: the vocoder is damaged, or gives numbers that are not finite.
    """
    spec = MelSpec() if vocoder is None else mel_of(vocoder)
    mel, spec, samples = _mel_of_file(source, spec)
    speaker = load_vocoder(vocoder, spec, str(source))
    emit(Began(_VOCODE, mel.shape[1], "frames"))
    with torch.inference_mode():
        started = time.perf_counter()
        audio = speaker(mel[None])[0]
        taken = time.perf_counter() - started
        difference = float((log_mel(audio, spec) - mel).abs().mean())
    emit(Advanced(_VOCODE, mel.shape[1]))
    emit(Ended(_VOCODE))
    if not math.isfinite(difference):
        called = "Griffin-Lim" if vocoder is None else str(vocoder)
        raise IntegrityError(f"{called} produced values that are not finite", "Use another vocoder.")
    waveform = Waveform(audio[:samples].numpy(), spec.sample_rate)
    return Copy(waveform, difference, taken * spec.sample_rate / len(audio))


def _mel_of_file(source: Path, spec: MelSpec) -> tuple[Tensor, MelSpec, int]:
    """Give the mel (n_mels, frames), what it is, and how many samples to make of it."""
    if source.suffix.lower() in ENDINGS | PICKLES:
        mel, spec = read_mel(source, spec)
        return mel, spec, mel.shape[1] * spec.hop_length
    recording = torch.from_numpy(resample(read_audio(source), spec.sample_rate).samples)
    # What does not fill a frame would have none.
    padded = F.pad(recording, (0, -len(recording) % spec.hop_length))
    return log_mel(padded, spec), spec, len(recording)
