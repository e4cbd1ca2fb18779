"""Analyses a recording into words, durations, pitch and loudness, and speaks it again with a voice, piece by piece.

Recordings that are not speech are refused, and so are those that do not say their text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel
from voxgrad.audio.clean import cutting_pauses, open_recording, part, pieces, speech_span
from voxgrad.audio.io import Samples, Waveform, resample
from voxgrad.audio.loudness import amplify, level_gain, loudness
from voxgrad.audio.measures import snr
from voxgrad.audio.mel import log_mel
from voxgrad.audio.praat import bend, f0_track, log_f0_track
from voxgrad.conversion.durations import aligned, require_fit
from voxgrad.errors import BadInputError
from voxgrad.model.frame_prior import frame_positions
from voxgrad.model.gradtts import Performance
from voxgrad.preparation.long_recordings import match_script
from voxgrad.preparation.speech_recognition import Recogniser, recognise
from voxgrad.settings import AudioSpec, ConversionSpec, DeliverySpec, MelSpec, SynthesisSpec
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.marked_text import Break
from voxgrad.text.passages import Passage
from voxgrad.text.ssml import is_ssml
from voxgrad.text.tokens import encode_transcript
from voxgrad.voice.cast import Cast
from voxgrad.voice.metadata import Recipe, Recording
from voxgrad.voice.silence_cuts import faded
from voxgrad.voice.speak import SpokenPassage, piece_seed, silence_at_end
from voxgrad.voice.timings import timed
from voxgrad.voice.torch_engine import TorchEngine
from voxgrad.voice.voice import SpeechJob, Voice

_LONGEST: Final = 20.0
"""Seconds that are aligned and spoken in one piece; longer recordings are cut at pauses."""
_PAUSE: Final = 1.0
"""Seconds of a pause at which a long recording is always cut. Every cut is one more place where words can go astray."""
_LEAST_DEVIATION: Final = 0.1
"""Of ln F0: what varies less would be stretched beyond recognition to a lively voice's range."""
_MOST_DEVIATIONS: Final = 3.0
"""From the median, beyond which a pitch is taken for an octave error."""
SHORTEST: Final = 0.3
"""Seconds between the first sound and the last."""
NOISIEST: Final = 6.0
"""dB of signal to noise."""
LEAST_VOICED: Final = 0.1
"""Share of a recording in which somebody's voice has a pitch."""
MOST_SUSTAINED: Final = 0.35
"""Share of the voiced frames that lie in sustained notes."""
_STEP: Final = 0.01
_NOTE_FRAMES: Final = 25
_NOTE_SEMITONES: Final = 1.0
_AS_VOCODED: Final = DeliverySpec()
_SMOOTHED: Final = 13
"""Frames over which levels are averaged: 150 ms, a syllable."""
_QUIETEST: Final = -35.0
"""dB below the loudest frame, where levels are taken for silence."""
_MOST_GAIN: Final = 12.0
"""dB up; down there is no limit but silence."""


@dataclass(frozen=True, eq=False)
class SourcePiece:
    """A piece between two pauses: its words, and how they are spoken."""

    passage: Passage
    """What is said."""
    start: int
    """Its first sample in the recording."""
    durations: Tensor
    """(tokens,) frames."""
    log_f0: NDArray[np.float64]
    """(frames,) ln Hz, 0 where not voiced."""
    levels: NDArray[np.float64]
    """(frames,) dB."""


@dataclass(frozen=True, eq=False)
class SourceSpeech:
    """An analysed recording."""

    name: str
    """Of the file."""
    text: str
    """All that is said."""
    waveform: Waveform
    """Cleaned and levelled, at the mel's rate."""
    pieces: tuple[SourcePiece, ...]
    """In order."""
    skipped: float
    """Seconds of the pieces that none of the text belongs to."""

    @cached_property
    def pitch(self) -> tuple[float, float]:
        """Median and robust deviation of ln F0 over all pieces."""
        tracks = np.concatenate([piece.log_f0 for piece in self.pieces])
        low, median, high = np.percentile(tracks[tracks > 0], [16, 50, 84]) if tracks.any() else (0.0, 0.0, 0.0)
        return float(median), max(float(high - low) / 2, _LEAST_DEVIATION)

    def scores(self, piece: SourcePiece) -> Tensor:
        """Z-scores of a piece's ln F0 among the recording's: (frames,), 0 where not voiced."""
        median, deviation = self.pitch
        scores = ((piece.log_f0 - median) / deviation).clip(-_MOST_DEVIATIONS, _MOST_DEVIATIONS)
        return torch.from_numpy(np.where(piece.log_f0 > 0, scores, 0.0)).float()


def read_source(
    path: Path,
    text: str | None,
    acoustic: AcousticModel,
    speaker: str | None,
    lexicon: Lexicon,
    recogniser: Recogniser | None,
) -> SourceSpeech:
    """Analyse a recording.

    Without a text, the recogniser writes it down. The recording is converted to ``speaker``, or the default one of the
    model, whose text encoder aligns it.

    Raises:
        BadInputError: it cannot be read, is not speech, or does not say the text.
    """
    if text is not None and is_ssml(text):
        raise BadInputError(f"the text of {path} is SSML", "Write down what is said in the recording.")
    if speaker is not None:
        acoustic = replace(acoustic, spec=acoustic.spec.model_copy(update={"voice": speaker}))
    spec = AudioSpec(mel=acoustic.spec.mel, max_seconds=_LONGEST, pause_seconds=_PAUSE)
    heard = open_recording(path, spec).waveform
    require_speech(heard, path.name)
    waveform = amplify(heard, level_gain(heard, loudness(heard), spec))
    cuts = cutting_pauses(waveform, spec) if waveform.seconds > spec.max_seconds else []
    spans = pieces(cuts, waveform.seconds)
    if text is None:
        text = _recognised(path, waveform, spans, recogniser)
    texts = [text]
    if cuts:
        mel = log_mel(torch.from_numpy(waveform.samples), spec.mel)
        texts = match_script(acoustic, text, mel, cuts, lexicon)
    # A text without words is refused where it is encoded.
    said = [(span, words) for span, words in zip(spans, texts, strict=True) if words or not cuts]
    trimmed = [_trimmed(waveform, span, spec) for span, _ in said]
    passages = [
        Passage(words, encode_transcript(words, acoustic.spec.text, lexicon), Break.SENTENCE) for _, words in said
    ]
    found = _durations(acoustic, passages, [one for _, one in trimmed], path.name)
    return SourceSpeech(
        path.name,
        text,
        waveform,
        tuple(
            SourcePiece(passage, start, durations, pitch_of(sound, spec.mel), levels(sound.samples, spec.mel))
            for passage, (start, sound), durations in zip(passages, trimmed, found, strict=True)
        ),
        sum(stop - start for (start, stop), words in zip(spans, texts, strict=True) if not words),
    )


def _recognised(
    path: Path, waveform: Waveform, spans: Sequence[tuple[float, float]], recogniser: Recogniser | None
) -> str:
    if recogniser is None:
        raise BadInputError(
            f"{path} has no text",
            f"Give it with --text, write it to {path.with_suffix('.txt').name} beside it, "
            "or install a recogniser: pip install 'voxgrad[whisper]'.",
        )
    return " ".join(recognise(recogniser, part(waveform, span)).text for span in spans)


def _trimmed(waveform: Waveform, span: tuple[float, float], spec: AudioSpec) -> tuple[int, Waveform]:
    """First sample and sound of a piece, without the silence at its ends."""
    piece = part(waveform, span)
    start, stop = speech_span(piece, spec)
    return round(span[0] * waveform.rate) + round(start * waveform.rate), part(piece, (start, stop))


def _durations(
    acoustic: AcousticModel,
    passages: Sequence[Passage],
    sounds: Sequence[Waveform],
    name: str,
) -> list[Tensor]:
    """The durations of all pieces, which must fit their texts."""
    mels = [log_mel(torch.from_numpy(sound.samples), acoustic.spec.mel) for sound in sounds]
    for passage, mel in zip(passages, mels, strict=True):
        if mel.shape[1] < len(passage.encoded.tokens):
            seconds = mel.shape[1] * acoustic.spec.mel.seconds_per_frame
            raise BadInputError(
                f"{name} has only {seconds:.1f} s for {passage.written[:40]!r}, which is too short",
                "Write exactly what is said in the recording.",
            )
    found = aligned(acoustic, [passage.encoded for passage in passages], mels)
    for passage, piece in zip(passages, found, strict=True):
        require_fit(piece.margin, piece.tempo, passage.written, name)
    return [piece.durations for piece in found]


def pitch_of(waveform: Waveform, spec: MelSpec) -> NDArray[np.float64]:
    """Praat's ln F0 at the centre of every mel frame: (frames,), 0 where not voiced."""
    return log_f0_track(waveform, len(waveform.samples) // spec.hop_length, spec.seconds_per_frame)


def levels(samples: Samples, spec: MelSpec) -> NDArray[np.float64]:
    """Root mean square of every mel frame in dB of full scale: (frames,)."""
    frames = len(samples) // spec.hop_length
    power = np.square(samples[: frames * spec.hop_length].astype(np.float64)).reshape(frames, -1).mean(1)
    decibels: NDArray[np.float64] = 10 * np.log10(np.maximum(power, 1e-10))
    return decibels


def require_speech(waveform: Waveform, name: str) -> None:
    """Check that a recording contains speech, loud enough above its noise; errors call it ``name``.

    Raises:
        BadInputError: it is too short, too noisy, sung, or has no voice.
    """
    start, stop = speech_span(waveform, AudioSpec())
    if stop - start < SHORTEST:
        raise BadInputError(
            f"{name} has {stop - start:.2f} s of sound, but needs at least {SHORTEST:g} s",
            "Record a whole word.",
        )
    f0 = f0_track(waveform, np.arange(start, stop, _STEP))
    voiced = float((f0 > 0).mean())
    if voiced < LEAST_VOICED:
        raise BadInputError(
            f"{1 - voiced:.0%} of {name} has no voice, so it is noise, a whisper or music",
            "Use a recording of speech.",
        )
    notes = sustained(f0)
    if notes > MOST_SUSTAINED:
        raise BadInputError(
            f"{name} is sung or music: {notes:.0%} of its voiced frames are sustained notes; "
            f"speech has at most {MOST_SUSTAINED:.0%}",
            "Speak the words.",
        )
    heard = snr(waveform)
    if heard < NOISIEST:
        raise BadInputError(
            f"{name} is too noisy: speech is {heard:.0f} dB above the noise, but must be at least {NOISIEST:.0f} dB",
            "Record it in a quiet room, closer to the microphone.",
        )


def sustained(f0: NDArray[np.float64]) -> float:
    """Share of the voiced frames in notes, stretches of 0.25 s or more within a semitone, of Hz every 10 ms."""
    voiced = f0 > 0
    pitch = np.where(voiced, 12 * np.log2(np.maximum(f0, 1.0)), np.nan)
    if len(pitch) < _NOTE_FRAMES or not voiced.any():
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(pitch, _NOTE_FRAMES)
    steady = np.ptp(windows, axis=1) <= _NOTE_SEMITONES  # never where a frame is not a number
    held = np.convolve(steady, np.ones(_NOTE_FRAMES)) > 0
    return float(held.sum() / voiced.sum())


def convert(engine: TorchEngine, source: SourceSpeech, kept: ConversionSpec, job: SpeechJob) -> Iterator[SpokenPassage]:
    """Speak a recording again; the gaps between its pieces become silence of the same length.

    Each piece is brought to the rate, loudness and peak that the job asks for.

    Yields:
        A passage for every piece, with the silence before it, and the silence at the end.
    """
    rate, hop, written, stop = job.rate, engine.spec.mel.hop_length, 0, 0

    def silence(samples: int) -> int:
        return round(max(samples, 0) * rate / engine.rate)

    for number, piece in enumerate(source.pieces):
        gap = silence(piece.start - stop)
        spoken, mel, durations = _spoken(engine, source, piece, kept, job, piece_seed(job.seed, number))
        samples = job.level(piece.passage, resample(Waveform(spoken, engine.rate), rate).samples)
        edges = np.cumsum([0, *durations]) * hop / engine.rate
        timing = timed(piece.passage, edges.tolist(), (written + gap) / rate)
        yield SpokenPassage(piece.passage, np.pad(samples, (gap, 0)), mel, durations, timing)
        written += gap + len(samples)
        stop = piece.start + len(piece.log_f0) * hop
    left = silence(len(source.waveform.samples) - stop)
    yield silence_at_end(left, written + left, rate)


def conversion_job(voice: Voice, text: str, synthesis: SynthesisSpec, delivery: DeliverySpec, seed: int) -> SpeechJob:
    """How the words of a recording are spoken; its silences are those of the recording."""
    return SpeechJob(text, Cast(voice), synthesis, delivery.model_copy(update={"edge_silence": None}), seed)


def conversion_recipe(job: SpeechJob, recording: Recording) -> Recipe:
    """All that is needed to convert a recording again, except the recording."""
    return job.recipe.model_copy(update={"recording": recording})


def _spoken(
    engine: TorchEngine,
    source: SourceSpeech,
    piece: SourcePiece,
    kept: ConversionSpec,
    job: SpeechJob,
    seed: int,
) -> tuple[Samples, Samples, tuple[int, ...]]:
    """Samples, mel and durations of one piece."""
    spec = engine.spec.mel
    voiced = torch.from_numpy(piece.log_f0 > 0)
    performance = Performance(piece.durations, source.scores(piece), voiced, kept.timing, kept.melody)
    generator = torch.Generator().manual_seed(seed)
    mel, durations = engine.mel(piece.passage.encoded.tokens, job.synthesis, generator, performance=performance)
    if kept.timing:  # without the frames that fill the network's last block
        mel, durations = mel[:, : len(piece.log_f0)], tuple(piece.durations.tolist())
    samples = engine.vocode(mel, _AS_VOCODED)
    at = performance.source_frames(*frame_positions(torch.tensor([durations]), mel.shape[1]))[0].numpy()
    if kept.melody > 0 and engine.acoustic.model.frame_prior is None:
        samples = _bent(samples, spec, performance, at)
    if kept.dynamics:
        samples = samples * _gains(levels(samples, spec), piece.levels[at], spec.hop_length)
    return faded(engine.deliver(samples, job.delivery), engine.rate), mel.numpy(), durations


def _bent(samples: Samples, spec: MelSpec, performance: Performance, at: NDArray[np.int64]) -> Samples:
    """The recording's pitch put on by Praat, for models that are told none: around the median that they speak with."""
    own = pitch_of(Waveform(samples, spec.sample_rate), spec)
    both = (own > 0) & performance.voiced.numpy()[at]
    if not both.any():
        return samples
    low, median, high = np.percentile(own[own > 0], [16, 50, 84])
    wanted = median + performance.scores.numpy()[at] * (high - low) / 2
    semitones = performance.melody * (wanted - own) * 12 / np.log(2)
    times = (np.arange(len(own)) + 0.5) * spec.seconds_per_frame
    return bend(Waveform(samples, spec.sample_rate), times[both], semitones[both]).samples


def _gains(own: NDArray[np.float64], wanted: NDArray[np.float64], hop: int) -> Samples:
    """Factors of the samples that bring smoothed levels (frames,) to others: (frames · hop,)."""
    decibels = np.minimum(_smooth(wanted) - _smooth(own), _MOST_GAIN)
    centres = (np.arange(len(own)) + 0.5) * hop
    return (10 ** (np.interp(np.arange(len(own) * hop), centres, decibels) / 20)).astype(np.float32)


def _smooth(decibels: NDArray[np.float64]) -> NDArray[np.float64]:
    audible = np.maximum(decibels, decibels.max() + _QUIETEST)
    padded = np.pad(audible, (_SMOOTHED // 2, _SMOOTHED // 2), mode="edge")
    return np.convolve(padded, np.full(_SMOOTHED, 1 / _SMOOTHED), "valid")
