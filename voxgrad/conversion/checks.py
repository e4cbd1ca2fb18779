"""What is refused: recordings that are no speech, or in which something else is said than the text has."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxgrad.audio.io import Waveform
from voxgrad.audio.measures import snr
from voxgrad.audio.praat import f0_track
from voxgrad.audio.silence import speech_span
from voxgrad.errors import BadInputError
from voxgrad.settings import AudioSpec

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


def require_speech(waveform: Waveform, name: str) -> None:
    """See that somebody speaks in a recording, loud enough above its noise.

    Args:
        waveform: all of it.
        name: what errors call it.

    Raises:
        BadInputError: it is too short, too noisy, nobody's voice, or sung.
    """
    start, stop = speech_span(waveform, AudioSpec())
    if stop - start < SHORTEST:
        raise BadInputError(
            f"{name} has {stop - start:.2f} s of sound, and {SHORTEST:g} s are needed", "Record a whole word."
        )
    f0 = f0_track(waveform, np.arange(start, stop, _STEP))
    voiced = float((f0 > 0).mean())
    if voiced < LEAST_VOICED:
        raise BadInputError(
            f"{name} has no voice in {1 - voiced:.0%} of it, which is noise, a whisper or music",
            "Record somebody who speaks.",
        )
    notes = sustained(f0)
    if notes > MOST_SUSTAINED:
        raise BadInputError(
            f"{name} is sung or music: {notes:.0%} of its voiced frames lie in sustained notes, "
            f"and of speech at most {MOST_SUSTAINED:.0%} do",
            "Speak the words.",
        )
    heard = snr(waveform)
    if heard < NOISIEST:
        raise BadInputError(
            f"{name} is too noisy: speech lies {heard:.0f} dB above the noise, and {NOISIEST:.0f} dB are needed",
            "Record it in a quiet room, nearer to the microphone.",
        )


def sustained(f0: NDArray[np.float64]) -> float:
    """Share of the voiced frames in notes: stretches of 0.25 s or more that stay within a semitone.

    Args:
        f0: Hz every 10 ms, 0 where not voiced.
    """
    voiced = f0 > 0
    pitch = np.where(voiced, 12 * np.log2(np.maximum(f0, 1.0)), np.nan)
    if len(pitch) < _NOTE_FRAMES or not voiced.any():
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(pitch, _NOTE_FRAMES)
    steady = np.ptp(windows, axis=1) <= _NOTE_SEMITONES  # never where a frame is not a number
    held = np.convolve(steady, np.ones(_NOTE_FRAMES)) > 0
    return float(held.sum() / voiced.sum())


def require_fit(margin: float, tempo: float, text: str, name: str) -> None:
    """See that a text is what is said.

    Args:
        margin: how much better the text explains the recording than the same words backwards do, see
            `voxgrad.conversion.durations.AlignedPiece`.
        tempo: how long the recording takes for the words over how long the voice would.
        text: of the piece.
        name: what errors call the recording.

    Raises:
        BadInputError: it is hardly better, or nobody speaks so fast or slowly.
    """
    if not FASTEST <= tempo <= SLOWEST:
        raise BadInputError(
            f"the text {text[:40]!r} does not fit {name}: it is said {1 / tempo:.2g} times as fast as the voice would",
            "Write down what is said in the recording, word for word.",
        )
    if margin < LEAST_MARGIN:
        raise BadInputError(
            f"the text {text[:40]!r} does not fit {name}: it explains it by {margin:.0f} better than the same words "
            f"backwards, and {LEAST_MARGIN:g} are needed",
            "Write down what is said in the recording, word for word.",
        )
