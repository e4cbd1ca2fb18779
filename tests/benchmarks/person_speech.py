"""Speech for `bench_person.py`: the people that are learnt and judged, and those whom the base knows."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.audio.clean import open_recording, part, speech_span
from voxgrad.audio.io import Samples, Waveform, resample
from voxgrad.audio.loudness import amplify, level_gain, loudness
from voxgrad.audio.mel import log_mel
from voxgrad.audio.praat import log_f0_track
from voxgrad.settings import AudioSpec
from voxgrad.store import Store
from voxgrad.text.symbols import SPACE
from voxgrad.text.tokens import encode
from voxgrad.training.alignment import align_corpus, align_unknown_speakers
from voxgrad.training.dataset import Alignment, Clip, Corpus
from voxgrad.training.vocoder_clips import shifted

AUDIO, CPU = AudioSpec(), torch.device("cpu")
HOP, RATE = AUDIO.mel.hop_length, AUDIO.mel.sample_rate


class Recording(NamedTuple):
    """A clip, (n_mels, frames) of log-mel, (frames,) of ln F0, and its samples."""

    clip: Clip
    mel: Tensor
    log_f0: Tensor
    samples: Samples


class Recordings(Corpus):
    """A corpus in memory."""

    def __init__(self, recordings: Sequence[Recording]):
        speakers = tuple(sorted({one.clip.speaker for one in recordings}))
        pitch = {one.clip.id: one.log_f0 for one in recordings}
        super().__init__(tuple(one.clip for one in recordings), Path(), speakers, pitch)
        object.__setattr__(self, "all", {one.clip.id: one for one in recordings})

    def mel(self, clip):
        return self.all[clip.id].mel

    def with_clips(self, clips):
        return Recordings([self.all[clip.id] for clip in clips])


class Known(NamedTuple):
    """Speech of the base's own people, its alignments by clip, and their rows of the embedding."""

    corpus: Recordings
    alignments: dict[str, Alignment]
    rows: dict[str, int]


@cache
def base() -> AcousticModel:
    return load_acoustic_model(Store.open().find("english", "base"))


def recorded(path: Path, text: str, speaker: str) -> Recording:
    """Reads, trims and levels a recording as `prepare` does."""
    whole = open_recording(path, AUDIO).waveform
    clip = part(whole, speech_span(resample(whole, 16000), AUDIO))
    clip = amplify(clip, level_gain(clip, loudness(clip), AUDIO))
    mel = log_mel(torch.from_numpy(clip.samples), AUDIO.mel)
    log_f0 = torch.from_numpy(log_f0_track(clip, mel.shape[1], AUDIO.mel.seconds_per_frame)).float()
    read = encode(text, base().spec.text)
    named = Clip(path.stem, text, read.normalised, read.tokens, speaker, mel.shape[1], clip.seconds)
    return Recording(named, mel, log_f0, clip.samples)


def changed(one: Recording, name: str, speaker: str, pitch: float, formants: float) -> Recording:
    """The recording at another pitch and with other formants, as if another person spoke."""
    samples = shifted(Waveform(one.samples, RATE), pitch, formants).samples
    frames = one.clip.frames
    mel = log_mel(torch.from_numpy(samples), AUDIO.mel)
    mel = F.pad(mel[None], (0, max(0, frames - mel.shape[1])), mode="replicate")[0, :, :frames]
    log_f0 = torch.where(one.log_f0 > 0, one.log_f0 + math.log(pitch), 0.0)
    return Recording(replace(one.clip, id=name, speaker=speaker), mel, log_f0, samples)


def listed(folder: Path) -> list[tuple[Path, str, str]]:
    """File, text and speaker of the rows of a metadata.csv, where the file is there."""
    rows = [line.split("|") for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()]
    return [(folder / name, text, speaker) for name, text, speaker in rows if (folder / name).exists()]


def recordings_of(speech: Path, name: str) -> tuple[list[Recording], list[Recording]]:
    """What is learnt from of a person, and what is judged on.

    Args:
        speech: the folder of folders.
        name: ``lj``; a voice of ``kokoro/heldout``; else a reader of ``libri``, whose one recording is divided.
    """
    if name == "lj":
        rows = [line.split("|") for line in (speech / "lj/metadata.csv").read_text().splitlines()]
        chosen = [(speech / f"lj/wavs/{one}.wav", text, name) for one, _, text in rows]
        return [recorded(*row) for row in chosen[:10]], [recorded(*row) for row in chosen[-4:]]
    voice = [recorded(*row) for row in listed(speech / "kokoro/heldout") if row[2] == name][:15]
    if voice:
        return [one for i, one in enumerate(voice) if i % 3 < 2], voice[2::3]
    (whole,) = [recorded(*row) for row in listed(speech / "libri") if row[2] == name]
    return divided(whole)


def divided(whole: Recording) -> tuple[list[Recording], list[Recording]]:
    """One recording, cut at the longest pause about its middle."""
    clip = whole.clip
    found = align_unknown_speakers(base().model, Recordings([whole]), {clip.speaker: 0}, CPU)
    durations = found[clip.id].durations
    middles = durations.cumsum(0) - (durations + 1) // 2
    spaces = [i for i, token in enumerate(clip.tokens) if token == SPACE]
    spaces = [i for i in spaces if 0.45 <= float(middles[i]) / clip.frames <= 0.72]
    at = max(spaces, key=lambda i: int(durations[i - 1 : i + 2].sum()))
    frames = int(middles[at])
    pieces = []
    for name, tokens, piece in (
        ("a", clip.tokens[:at], slice(0, frames)),
        ("b", clip.tokens[at + 1 :], slice(frames, clip.frames)),
    ):
        length = piece.stop - piece.start
        cut = replace(clip, id=f"{clip.id}{name}", tokens=tokens, frames=length, seconds=length * HOP / RATE)
        samples = whole.samples[piece.start * HOP : piece.stop * HOP]
        pieces.append(Recording(cut, whole.mel[:, piece].clone(), whole.log_f0[piece].clone(), samples))
    return pieces[:1], pieces[1:]


def known_speech(given: argparse.Namespace, every: int = 2) -> Known:
    """A clip of every second (or so) reader that the base learnt from, and of every second plain voice of Kokoro."""
    cached, rows = given.work / f"known-{every}.pt", base().spec.speakers
    if not cached.exists():
        chosen = [(path, text, f"libri-{name}") for path, text, name in listed(given.speech / "libri")]
        voices = {row[2]: row for row in reversed(listed(given.speech / "kokoro")) if "mix" not in row[2]}
        taken = [row for row in (*chosen, *voices.values()) if row[2] in rows]
        found = [one for one in (recorded(*row) for row in taken[::every]) if one.clip.frames >= len(one.clip.tokens)]
        torch.save((found, align_corpus(base().model, Recordings(found), rows, CPU)), cached)
    found, alignments = torch.load(cached, weights_only=False)
    return Known(Recordings(found), alignments, rows)
