"""A recording or a mel → the audio that a vocoder makes of it."""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from voxgrad.audio.io import Waveform, read_audio, resample
from voxgrad.audio.mel import ENDINGS, PICKLES, log_mel, read_mel
from voxgrad.errors import IntegrityError
from voxgrad.events import Advanced, Began, Emit, Ended
from voxgrad.settings import MelSpec
from voxgrad.store.artifact import Artifact
from voxgrad.vocoder.choice import mel_of
from voxgrad.vocoder.registry import load_vocoder

_TASK = "vocode"


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
    other steps this one writes no artifact: a copy judges a vocoder and is no speech, so nothing is made from it.

    Args:
        source: an audio file, or a log-mel as `read_mel` takes it.
        vocoder: None for Griffin-Lim.
        emit: called with progress events.

    Raises:
        BadInputError: the file cannot be used, or is another mel than the vocoder's.
        IntegrityError: the vocoder is damaged, or gives numbers that are not finite.
    """
    spec = MelSpec() if vocoder is None else mel_of(vocoder)
    mel, spec, samples = _read(source, spec)
    speaker = load_vocoder(vocoder, spec, str(source))
    emit(Began(_TASK, mel.shape[1], "frames"))
    with torch.inference_mode():
        started = time.perf_counter()
        audio = speaker(mel[None])[0]
        taken = time.perf_counter() - started
        difference = float((log_mel(audio, spec) - mel).abs().mean())
    emit(Advanced(_TASK, mel.shape[1]))
    emit(Ended(_TASK))
    if not math.isfinite(difference):
        called = "Griffin-Lim" if vocoder is None else str(vocoder)
        raise IntegrityError(f"{called} produced values that are not finite", "Use another vocoder.")
    waveform = Waveform(audio[:samples].numpy(), spec.sample_rate)
    return Copy(waveform, difference, taken * spec.sample_rate / len(audio))


def _read(source: Path, spec: MelSpec) -> tuple[Tensor, MelSpec, int]:
    """Give the mel (n_mels, frames), what it is, and how many samples to make of it."""
    if source.suffix.lower() in ENDINGS | PICKLES:
        mel, spec = read_mel(source, spec)
        return mel, spec, mel.shape[1] * spec.hop_length
    recording = torch.from_numpy(resample(read_audio(source), spec.sample_rate).samples)
    # What does not fill a frame would have none.
    padded = F.pad(recording, (0, -len(recording) % spec.hop_length))
    return log_mel(padded, spec), spec, len(recording)
