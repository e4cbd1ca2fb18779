"""A recording → what a conversion takes over from it: words, durations, pitch and loudness, piece by piece.

Recordings that are no speech are refused, and those in which something else is said than the text has.
"""

from collections.abc import Sequence
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
from voxgrad.audio.io import Samples, Waveform
from voxgrad.audio.measures import amplify, level_gain, loudness, snr
from voxgrad.audio.mel import log_mel
from voxgrad.audio.praat import f0_track, log_f0_track
from voxgrad.conversion.durations import aligned
from voxgrad.errors import BadInputError
from voxgrad.preparation.long_recordings import match_script
from voxgrad.preparation.speech_recognition import Recogniser, recognise
from voxgrad.settings import AudioSpec, MelSpec
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.marked_text import Break
from voxgrad.text.passages import Passage
from voxgrad.text.ssml import is_ssml
from voxgrad.text.tokens import encode_transcript

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
LEAST_MARGIN: Final = 4.5
"""Nats a frame by which a text must explain a recording better than its words backwards."""
FASTEST, SLOWEST = 0.6, 3.0
"""Times as long as the voice would take for the words."""
_STEP: Final = 0.01
_NOTE_FRAMES: Final = 25
_NOTE_SEMITONES: Final = 1.0


@dataclass(frozen=True, eq=False)
class SourcePiece:
    """What is said in one breath, and how."""

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
    """A recording, taken apart."""

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
    """Take a recording apart.

    Without a text, the recogniser writes it down. The recording is converted to ``speaker``, or the default one of the
    model, whose text encoder aligns it.

    Raises:
        BadInputError: it cannot be read, is no speech, or the text is not what is said.
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
    said = [(span, words) for span, words in zip(spans, texts, strict=True) if words]
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
                f"{name} has {seconds:.1f} s for {passage.written[:40]!r}, which is too short for it",
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
    """See that somebody speaks in a recording, which errors call ``name``, loud enough above its noise.

    Raises:
        BadInputError: it is too short, too noisy, nobody's voice, or sung.
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
            f"{name} has no voice in {1 - voiced:.0%} of it, so it is noise, a whisper or music",
            "Use a recording of speech.",
        )
    notes = sustained(f0)
    if notes > MOST_SUSTAINED:
        raise BadInputError(
            f"{name} is sung or music: {notes:.0%} of its voiced frames are sustained notes; "
            f"in speech it is at most {MOST_SUSTAINED:.0%}",
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


def require_fit(margin: float, tempo: float, text: str, name: str) -> None:
    """See that a text is what is said; for margin and tempo, see `voxgrad.conversion.durations.AlignedPiece`.

    Raises:
        BadInputError: it is hardly better than its words backwards, or nobody speaks so fast or slowly.
    """
    if not FASTEST <= tempo <= SLOWEST:
        raise BadInputError(
            f"the text {text[:40]!r} does not fit {name}: it is said {1 / tempo:.2g} times as fast as the voice would",
            "Write exactly what is said in the recording.",
        )
    if margin < LEAST_MARGIN:
        raise BadInputError(
            f"the text {text[:40]!r} does not fit {name}: it explains the recording only {margin:.0f} better than the "
            f"same words in reverse order, but must be at least {LEAST_MARGIN:g} better",
            "Write exactly what is said in the recording.",
        )
