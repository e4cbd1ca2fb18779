"""The log-mel, against one written a second time from its definition."""

import numpy as np
import pytest
import torch

from voxgrad.audio.formant_synthesis import speak_phones
from voxgrad.audio.mel import log_mel
from voxgrad.errors import BadInputError
from voxgrad.settings import MelSpec


def slaney_hertz(mels):
    """Auditory Toolbox: 66.67 Hz a mel up to 1 kHz, then 27 mels for each factor of 6.4."""
    return np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))


def slaney_mels(hertz):
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def plain_log_mel(samples, spec):
    """Frame by frame and band by band, in double precision."""
    padding = (spec.n_fft - spec.hop_length) // 2
    padded = np.concatenate([samples[padding:0:-1], samples, samples[-2 : -padding - 2 : -1]])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spec.win_length) / spec.win_length)
    edges = slaney_hertz(np.linspace(slaney_mels(spec.f_min), slaney_mels(spec.f_max), spec.n_mels + 2))
    frequencies = np.arange(spec.n_fft // 2 + 1) * spec.sample_rate / spec.n_fft
    columns = []
    for start in range(0, len(padded) - spec.n_fft + 1, spec.hop_length):
        power = np.abs(np.fft.rfft(padded[start : start + spec.n_fft] * window)) ** 2
        magnitude = np.sqrt(power + 1e-9)
        bands = []
        for low, centre, high in zip(edges, edges[1:], edges[2:], strict=False):
            rising = (frequencies - low) / (centre - low)
            falling = (high - frequencies) / (high - centre)
            triangle = np.clip(np.minimum(rising, falling), 0, None) * 2 / (high - low)
            bands.append(triangle @ magnitude)
        columns.append(np.log(np.maximum(bands, spec.floor)))
    return np.array(columns).T


@pytest.mark.parametrize(
    "spec",
    [
        MelSpec(),
        MelSpec(
            sample_rate=16000, n_fft=512, win_length=512, hop_length=160, n_mels=40, f_min=50, f_max=7600
        ),
    ],
)
def test_it_equals_the_definition(spec):
    samples = speak_phones(["HH", "AH0", "L", "OW1", "S", "T"], seed=3).samples
    ours = log_mel(torch.from_numpy(samples), spec).numpy()
    assert np.abs(ours - plain_log_mel(samples.astype(np.float64), spec)).max() < 1e-3
    double = log_mel(torch.from_numpy(samples).double(), spec).numpy()
    assert np.abs(double - plain_log_mel(samples.astype(np.float64), spec)).max() < 1e-5


@pytest.mark.parametrize("length", [385, 511, 512, 513, 22050, 22051])
def test_frames_are_whole_hops(length):
    assert log_mel(torch.randn(length), MelSpec()).shape == (80, length // 256)


def test_an_odd_padding_still_gives_whole_hops():
    spec = MelSpec(n_fft=1024, win_length=800, hop_length=275)
    assert log_mel(torch.randn(2750), spec).shape == (80, 10)


def test_leading_dimensions_are_kept():
    sounds = torch.randn(2, 3, 4096)
    mels = log_mel(sounds, MelSpec())
    assert mels.shape == (2, 3, 80, 16)
    torch.testing.assert_close(mels[1, 2], log_mel(sounds[1, 2], MelSpec()))


def test_silence_lies_at_the_floor_of_the_root():
    mel = log_mel(torch.zeros(4096), MelSpec())
    assert torch.isfinite(mel).all()
    assert mel.min() >= np.log(1e-5) - 1e-6


@pytest.mark.parametrize("length", [0, 1, 255, 384])
def test_too_short_a_sound_is_refused(length):
    with pytest.raises(BadInputError, match="too short"):
        log_mel(torch.zeros(length), MelSpec())


def test_gradients_flow_even_after_a_first_use_in_inference_mode():
    spec = MelSpec(n_mels=23)
    with torch.inference_mode():
        log_mel(torch.randn(4096), spec)
    sound = torch.randn(4096, requires_grad=True)
    log_mel(sound, spec).sum().backward()
    assert sound.grad.abs().sum() > 0
