"""Speech-like sounds for tests without recordings.

A formant synthesiser after Klatt (1980), far simplified: glottal pulses and noise, shaped in overlapping
frames by resonances that glide from phone to phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from voxgrad.audio.io import Waveform

RATE = 22050
_HOP = 110
_FFT = 1024
_BANDWIDTHS = (70.0, 100.0, 150.0, 250.0)
_REFERENCE_F0 = 120.0

Track = npt.NDArray[np.floating]


@dataclass(frozen=True)
class _Sound:
    """A stretch of sound: formants in Hz, amplitudes of voice and of noise, the noise band, and a length."""

    formants: tuple[float, float, float]
    seconds: float
    voice: float = 0.0
    noise: float = 0.0
    centre: float = 2500.0
    width: float = 1000.0


# Mean formants of 33 men, Peterson and Barney (1952), table II.
_VOWELS = {
    "IY": (270.0, 2290.0, 3010.0),
    "IH": (390.0, 1990.0, 2550.0),
    "EH": (530.0, 1840.0, 2480.0),
    "AE": (660.0, 1720.0, 2410.0),
    "AH": (640.0, 1190.0, 2390.0),
    "AA": (730.0, 1090.0, 2440.0),
    "AO": (570.0, 840.0, 2410.0),
    "UH": (440.0, 1020.0, 2240.0),
    "UW": (300.0, 870.0, 2240.0),
    "ER": (490.0, 1350.0, 1690.0),
}
_DIPHTHONGS = {"AY": "AA IY", "AW": "AA UH", "OY": "AO IY", "EY": "EH IY", "OW": "AO UW"}
_SONORANTS = {
    "M": _Sound((250.0, 1100.0, 2200.0), 0.07, voice=0.35),
    "N": _Sound((250.0, 1700.0, 2600.0), 0.065, voice=0.35),
    "NG": _Sound((250.0, 2200.0, 2700.0), 0.075, voice=0.35),
    "L": _Sound((360.0, 1000.0, 2900.0), 0.065, voice=0.5),
    "R": _Sound((330.0, 1100.0, 1500.0), 0.065, voice=0.5),
    "W": _Sound((290.0, 650.0, 2150.0), 0.065, voice=0.5),
    "Y": _Sound((260.0, 2200.0, 3000.0), 0.065, voice=0.5),
}
# Place of articulation: the formants towards which the vowels bend, then centre and width of the noise.
_LIPS = _Sound((300.0, 900.0, 2300.0), 0.0, centre=1200.0, width=1500.0)
_TEETH = _Sound((300.0, 1400.0, 2600.0), 0.0, centre=6500.0, width=4000.0)
_RIDGE = _Sound((300.0, 1750.0, 2650.0), 0.0, centre=6000.0, width=1200.0)
_PALATE = _Sound((300.0, 1900.0, 2500.0), 0.0, centre=3200.0, width=900.0)
_VELUM = _Sound((300.0, 2000.0, 2300.0), 0.0, centre=1900.0, width=600.0)
_THROAT = _Sound((500.0, 1500.0, 2500.0), 0.0, centre=1500.0, width=1400.0)
_FRICATIVES = {
    "F": replace(_LIPS, seconds=0.09, noise=0.06, centre=8500.0, width=3500.0),
    "V": replace(_LIPS, seconds=0.06, noise=0.04, centre=8500.0, width=3500.0, voice=0.3),
    "TH": replace(_TEETH, seconds=0.08, noise=0.04),
    "DH": replace(_TEETH, seconds=0.05, noise=0.03, voice=0.3),
    "S": replace(_RIDGE, seconds=0.1, noise=0.3),
    "Z": replace(_RIDGE, seconds=0.08, noise=0.2, voice=0.3),
    "SH": replace(_PALATE, seconds=0.1, noise=0.3),
    "ZH": replace(_PALATE, seconds=0.08, noise=0.2, voice=0.3),
    "HH": replace(_THROAT, seconds=0.06, noise=0.08),
}
_STOPS = {"P": _LIPS, "B": _LIPS, "T": _RIDGE, "D": _RIDGE, "K": _VELUM, "G": _VELUM, "CH": _PALATE, "JH": _PALATE}
_VOICED_STOPS = frozenset({"B", "D", "G", "JH"})
_PAUSES = {",": 0.18, ";": 0.18, ":": 0.18, "-": 0.12, ".": 0.25, "!": 0.25, "?": 0.25, "SIL": 0.2}


def speak_phones(phones: Sequence[str], seed: int, f0: float = _REFERENCE_F0) -> Waveform:
    """Speak ARPABET phones, with stress digits or without, and punctuation as pauses.

    Each phone has a sound of its own, so that an aligner can tell them apart. Equal arguments give equal
    samples.

    Args:
        phones: such as ``["HH", "AH0", "L", "OW1", "."]``.
        seed: of the noise and of the small differences in length and melody.
        f0: the voice's height in Hz. The formants rise with it, as in smaller speakers.
    """
    generator = np.random.default_rng(seed)
    sounds = [sound for phone in phones for sound in _sounds(phone, generator)]
    frames = np.array([max(1, round(sound.seconds * RATE / _HOP)) for sound in sounds])
    formants = _glide(np.repeat([sound.formants for sound in sounds], frames, axis=0), 9)
    controls = [(sound.voice, sound.noise, sound.centre, sound.width) for sound in sounds]
    voice, noise, centre, width = _glide(np.repeat(controls, frames, axis=0), 3).T
    pulses = _pulses(len(formants), f0, generator)
    hiss = generator.standard_normal(len(formants) * _HOP)
    spread = (f0 / _REFERENCE_F0) ** 0.26
    frequencies = np.fft.rfftfreq(_FFT, 1 / RATE)
    voiced = _vocal_tract(formants * spread, frequencies) * voice[:, None]
    band = np.exp(-0.5 * ((frequencies - centre[:, None]) / width[:, None]) ** 2)
    sound = _shape(pulses, voiced) + _shape(hiss, band * noise[:, None])
    # A faint room, so that pauses are quiet and not digital silence.
    sound += 1e-4 * generator.standard_normal(len(sound))
    return Waveform((0.5 * sound / np.abs(sound).max()).astype(np.float32), RATE)


def _sounds(phone: str, generator: np.random.Generator) -> list[_Sound]:
    """Turn a phone into its sounds, their lengths varied by a sixth or so."""
    name, stress = phone.upper().rstrip("012"), phone[-1:]
    stretch = generator.uniform(0.85, 1.15)
    loud, slow = (1.0, 1.3) if stress == "1" else (0.7, 1.0)
    if name in _PAUSES or not name.strip():
        sounds = [replace(_THROAT, seconds=_PAUSES.get(name, 0.03))]
    elif name in _VOWELS:
        sounds = [_Sound(_VOWELS[name], 0.09 * slow, voice=loud)]
    elif name in _DIPHTHONGS:
        sounds = [_Sound(_VOWELS[end], 0.065 * slow, voice=loud) for end in _DIPHTHONGS[name].split()]
    elif name in _STOPS:
        voice = 0.15 if name in _VOICED_STOPS else 0.0
        release = 0.06 if name in {"CH", "JH"} else 0.02
        closure = replace(_STOPS[name], seconds=0.05, voice=voice)
        sounds = [closure, replace(closure, seconds=release * (0.7 if voice else 1.3), noise=0.25)]
    else:
        sounds = [(_SONORANTS | _FRICATIVES)[name]]
    return [replace(sound, seconds=sound.seconds * stretch) for sound in sounds]


def _glide(track: Track, width: int) -> Track:
    """Smooth (frames, values) by a moving mean over ``width`` frames of 5 ms."""
    padded = np.pad(track, ((width // 2, width // 2), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, width, axis=0).mean(axis=-1)


def _pulses(frames: int, f0: float, generator: np.random.Generator) -> Track:
    """Make glottal pulses that fall from f0 * 1.15 to f0 * 0.85 with a slow wander; (frames * _HOP,)."""
    samples = frames * _HOP
    knots = 2 + samples // (RATE // 4)
    wander = np.interp(np.linspace(0, 1, samples), np.linspace(0, 1, knots), generator.normal(0, 0.04, knots))
    phase = np.cumsum(f0 / RATE * (np.linspace(1.15, 0.85, samples) + wander))
    period = np.diff(np.floor(phase), prepend=0.0)
    # A period's pulse carries the energy of its whole period, however long.
    return period * np.sqrt(RATE / f0)


def _vocal_tract(formants: Track, frequencies: Track) -> npt.NDArray[np.complex128]:
    """Give the response of a cascade of resonators; (frames, 3) and (bins,) become (frames, bins)."""
    s = 2j * np.pi * frequencies
    response = 1 / (1 + s / (2 * np.pi * 300.0)).astype(np.complex128)[None, :].repeat(len(formants), axis=0)
    tracks = [*formants.T, np.full(len(formants), 3700.0)]
    for formant, bandwidth in zip(tracks, _BANDWIDTHS, strict=True):
        pole = -np.pi * bandwidth + 2j * np.pi * formant[:, None]
        response *= np.abs(pole) ** 2 / ((s - pole) * (s - pole.conj()))
    return response


def _shape(source: Track, responses: npt.NDArray[np.complexfloating | np.floating]) -> Track:
    """Filter each overlapping frame of ``source`` (frames * _HOP,) by its response (frames, bins)."""
    count, window = len(responses), np.hanning(2 * _HOP + 1)[:-1]
    padded = np.pad(source, (_HOP // 2, 2 * _HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * _HOP)[::_HOP][:count] * window
    filtered = np.fft.irfft(np.fft.rfft(frames, _FFT) * responses, _FFT)
    sound = np.zeros(count * _HOP + _FFT)
    for index, frame in enumerate(filtered):
        sound[index * _HOP : index * _HOP + _FFT] += frame
    return sound[_HOP // 2 : _HOP // 2 + len(source)]
