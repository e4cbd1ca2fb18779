"""Bringing clips to one loudness, by plain gain."""

import numpy as np
import torch
import torchaudio

from voxgrad.audio.io import Waveform
from voxgrad.settings import AudioSpec

_BLOCK_SECONDS = 0.4
_OVERSAMPLED = 4
_RISES = 6.0  # dB between samples, far more than recordings do: below, no true peak need be sought


def loudness(waveform: Waveform) -> float:
    """Measure the gated loudness in LUFS (ITU-R BS.1770-4); -inf where nothing passes the gate at -70 LUFS.

    A sound shorter than a block of the measurement, 0.4 s, is repeated to the length of one.
    """
    samples = waveform.samples
    block = int(np.ceil(_BLOCK_SECONDS * waveform.rate)) + 1
    if len(samples) < block:
        samples = np.resize(samples, block)
    measured = float(torchaudio.functional.loudness(torch.from_numpy(samples)[None], waveform.rate))
    return measured if np.isfinite(measured) else -np.inf


def true_peak(waveform: Waveform) -> float:
    """Measure the highest magnitude in dB of full scale, between samples too: four times oversampled (BS.1770-4)."""
    samples = torch.from_numpy(waveform.samples)
    between = torchaudio.functional.resample(samples, 1, _OVERSAMPLED).abs().max()
    return _decibels(max(float(between), float(samples.abs().max())))


def level_gain(waveform: Waveform, measured: float, spec: AudioSpec) -> float:
    """Find the gain in dB to bring a sound to ``spec.loudness_lufs``, or less to keep the limit of true peaks.

    Args:
        waveform: not silent.
        measured: its `loudness`; a sound too faint for the gate is only brought to the limit.
        spec: both limits.
    """
    wanted = spec.loudness_lufs - measured
    if wanted + _decibels(float(np.abs(waveform.samples).max())) < spec.true_peak_dbtp - _RISES:
        return wanted
    return min(wanted, spec.true_peak_dbtp - true_peak(waveform))


def amplify(waveform: Waveform, gain_db: float) -> Waveform:
    """Multiply by ``gain_db`` decibels."""
    return Waveform(waveform.samples * np.float32(10 ** (gain_db / 20)), waveform.rate)


def _decibels(magnitude: float) -> float:
    return float(20 * np.log10(magnitude))
