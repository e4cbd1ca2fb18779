"""Training of the vocoder: copies of its clips, its losses and discriminators, and the task itself."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from formant_synthesis import speak_phones

from tests.training.regression import StoppedError, stop_at
from voxgrad.audio.io import Waveform
from voxgrad.audio.mel import log_mel
from voxgrad.audio.praat import median_f0
from voxgrad.errors import BadInputError
from voxgrad.events import ignore
from voxgrad.settings import ISTFTSpec, MelSpec, SourceFilterSpec, VocoderPreset, VocoderStageSpec, VocoderTrainSpec
from voxgrad.training.trainer import LOG, Trainer
from voxgrad.training.vocoder import Discriminators, VocoderTask, discriminator_loss, multi_resolution_stft_loss
from voxgrad.training.vocoder_clips import AudioClips, augmented_copies, equalised, respeed, shifted
from voxgrad.vocoder.istft import ISTFTVocoder
from voxgrad.vocoder.source_filter import SourceFilterVocoder

WORDS = "DH AH0 . S AH1 N IH1 Z W AO1 R M . R EY1 N AO1 L D EY1 ."
SPOKEN = speak_phones(WORDS.split(), seed=3, f0=160)


def noise(seconds: float, rate: int = 22050) -> Waveform:
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate))
    return Waveform(samples.astype(np.float32), rate)


def decibels(waveform: Waveform, low: float, high: float) -> float:
    power = np.abs(np.fft.rfft(waveform.samples)) ** 2
    frequencies = np.fft.rfftfreq(len(waveform.samples), 1 / waveform.rate)
    return float(10 * np.log10(power[(frequencies >= low) & (frequencies < high)].mean()))


@pytest.mark.parametrize("formants", [0.85, 1.0, 1.2])
@pytest.mark.parametrize("pitch", [0.6, 1.0, 1.5])
def test_pitch_moves_and_time_stays(pitch, formants):
    other = shifted(SPOKEN, pitch, formants)
    assert other.rate == SPOKEN.rate
    assert other.samples.shape == SPOKEN.samples.shape
    assert np.isfinite(other.samples).all()
    assert median_f0(other) == pytest.approx(median_f0(SPOKEN) * pitch, rel=0.05)


def test_formants_move():
    tilt = {
        factor: decibels(shifted(SPOKEN, 1.0, factor), 300, 700) - decibels(shifted(SPOKEN, 1.0, factor), 700, 1600)
        for factor in (0.85, 1.2)
    }
    assert tilt[0.85] > tilt[1.2] + 1


def test_formants_that_move_down_leave_no_hole_at_the_top():
    lower = shifted(noise(1.0), 1.0, 0.85)
    assert decibels(lower, 9600, 11000) == pytest.approx(decibels(noise(1.0), 9600, 11000), abs=0.5)


def test_unvoiced_clip_moves_its_formants_only():
    hiss = noise(2.0)
    spectrum = np.fft.rfft(hiss.samples)
    spectrum[len(spectrum) // 2 :] *= 0.01
    hiss = Waveform(np.fft.irfft(spectrum).astype(np.float32), hiss.rate)
    other = shifted(hiss, 0.6, 0.8)
    assert other.samples.shape == hiss.samples.shape
    assert median_f0(other) is None
    assert decibels(hiss, 4600, 5300) - decibels(other, 4600, 5300) > 20


@pytest.mark.parametrize("seconds", [0.06, 0.061, 0.1])
@pytest.mark.parametrize("rate", [16000, 22050, 48000])
def test_shortest_clips_can_be_shifted(seconds, rate):
    time = np.arange(np.ceil(seconds * rate)) / rate
    tone = Waveform(np.sin(2 * np.pi * 200 * time).astype(np.float32), rate)
    assert shifted(tone, 0.6, 0.85).samples.shape == tone.samples.shape


def test_silence_stays_silent():
    silence = Waveform(np.zeros(22050, np.float32), 22050)
    assert not shifted(silence, 0.6, 0.85).samples.any()
    assert not equalised(silence, np.random.default_rng(0)).samples.any()


@pytest.mark.parametrize("length", [0, 1, 1000])
def test_too_short_is_refused(length):
    with pytest.raises(BadInputError, match="too short to be shifted"):
        shifted(Waveform(np.zeros(length, np.float32), 22050), 1.0, 1.0)


def test_equalisation_is_gentle_and_repeatable():
    sound = noise(2.0)
    curves = []
    for seed in range(20):
        other = equalised(sound, np.random.default_rng(seed))
        assert other.samples.shape == sound.samples.shape
        bands = [(60, 125), (400, 600), (1600, 2400), (7500, 8500), (9000, 11000)]
        curves.append([decibels(other, *band) - decibels(sound, *band) for band in bands])
    assert np.abs(curves).max() < 6.2
    assert np.std(curves, axis=0).min() > 2
    again = equalised(sound, np.random.default_rng(0))
    assert np.array_equal(again.samples, equalised(sound, np.random.default_rng(0)).samples)


def test_equalisation_has_no_delay():
    click = np.zeros(22050, np.float32)
    click[5000] = 1
    for seed in range(5):
        other = equalised(Waveform(click, 22050), np.random.default_rng(seed)).samples
        assert np.abs(other).argmax() == 5000
        assert np.square(other[4500:5500]).sum() > 0.99 * np.square(other).sum()


@pytest.mark.parametrize("speed", [0.9, 0.987, 1.0, 1.1])
def test_speed_changes_length_and_pitch(speed):
    other = respeed(SPOKEN, speed)
    assert other.rate == SPOKEN.rate
    assert other.seconds == pytest.approx(SPOKEN.seconds / round(speed, 2), abs=1e-3)
    assert median_f0(other) == pytest.approx(median_f0(SPOKEN) * speed, rel=0.03)


MEL = MelSpec()
RATE = MEL.sample_rate
SPEC = ISTFTSpec(channels=16, hidden=16, blocks=1, kernel=3, iterations=1, final_iterations=1)
SPECTRAL = VocoderStageSpec(steps=4, batch_size=2, crop=32, learning_rate=1e-3)
ADVERSARIAL = SPECTRAL.model_copy(update={"adversarial": True, "steps": 3})


@pytest.fixture(scope="module")
def waveforms():
    return [speak_phones(["HH", "AH0", "L", "OW1", "M", "AA1"], 0, f0) for f0 in (110.0, 180.0, 240.0)]


@pytest.fixture(scope="module")
def sounds(waveforms):
    return AudioClips.of(waveforms, RATE)


SOURCE_FILTER = SourceFilterSpec(channels=16, blocks=1, pitch_channels=16, pitch_blocks=1, iterations=1)
PITCH = SPECTRAL.model_copy(update={"pitch": True})


@pytest.fixture(autouse=True)
def small_and_alone(monkeypatch):
    """Each would import torch; and narrow discriminators, for these train on a processor."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr("voxgrad.training.vocoder.Discriminators", partial(Discriminators, 2))


def engine(sounds, run, stages=(SPECTRAL, ADVERSARIAL), vocoder=None, **changes):
    torch.manual_seed(0)
    settings = VocoderTrainSpec(stages=stages, validate_every=3, checkpoint_every=2, precision="float32", **changes)
    held_out = [torch.from_numpy(sounds.clip(0))]
    vocoder = vocoder or ISTFTVocoder.build(SPEC, MEL)
    task = VocoderTask(vocoder, sounds, held_out, settings, torch.device("cpu"))
    return Trainer(task, settings, run, ignore)


def weights(one):
    return {name: value.clone() for name, value in one.task.modules["model"].state_dict().items()}


def test_clips_come_back_to_sixteen_bits(waveforms, sounds):
    assert len(sounds) == 3
    for index, waveform in enumerate(waveforms):
        peak = max(1.0, float(np.abs(waveform.samples).max()) / 0.99)
        np.testing.assert_allclose(sounds.clip(index), waveform.samples / peak, atol=2e-5)


def test_a_batch_depends_on_seed_and_step_alone(sounds):
    first = sounds.batch(4, 8192, 1, 2)
    assert first.shape == (4, 8192)
    assert torch.equal(first, sounds.batch(4, 8192, 1, 2))
    assert not torch.equal(first, sounds.batch(4, 8192, 1, 3))
    assert first.abs().max() <= 1.0


def test_a_short_clip_ends_in_silence():
    short = AudioClips.of([Waveform(np.full(1000, 0.5, np.float32), RATE)], RATE)
    batch = short.batch(2, 8192, 0, 0)
    assert batch[:, :1000].abs().max() > 0.01
    assert batch[:, 1000:].abs().max() == 0


def test_copies_are_other_speakers_and_are_made_once(sounds, tmp_path):
    cache = tmp_path / "copies.npz"
    copies = augmented_copies(sounds, 2, 0, cache, ignore)
    assert len(copies) == 6
    heights = [median_f0(Waveform(copies.clip(index), RATE)) for index in range(6)]
    originals = [median_f0(Waveform(sounds.clip(index % 3), RATE)) for index in range(6)]
    ratios = [one / other for one, other in zip(heights, originals, strict=True)]
    assert max(ratios) / min(ratios) > 1.3
    assert all(0.5 < ratio < 1.7 for ratio in ratios)
    changed = cache.stat().st_mtime_ns
    again = augmented_copies(sounds, 2, 0, cache, ignore)
    assert cache.stat().st_mtime_ns == changed
    np.testing.assert_array_equal(again.samples, copies.samples)
    assert [path.name for path in tmp_path.iterdir()] == ["copies.npz"]


def test_clips_too_short_to_copy_are_refused(tmp_path):
    short = AudioClips.of([Waveform(np.zeros(500, np.float32), RATE)], RATE)
    with pytest.raises(BadInputError, match="long enough"):
        augmented_copies(short, 1, 0, tmp_path / "copies.npz", ignore)
    assert list(tmp_path.iterdir()) == []


def test_spectral_distance_is_of_sounds_not_of_phases(sounds):
    sound = torch.from_numpy(sounds.clip(0))[None, :16384]
    noise = 0.05 * torch.randn(sound.shape, generator=torch.Generator().manual_seed(0))
    assert multi_resolution_stft_loss(sound, sound) < 1e-5
    assert multi_resolution_stft_loss(-sound, sound) < 1e-5
    assert multi_resolution_stft_loss(sound + noise, sound) > 0.1


def test_discriminators_learn_to_tell_noise_from_speech(sounds):
    torch.manual_seed(0)
    judges = Discriminators(4)
    optimizer = torch.optim.AdamW(judges.parameters(), lr=1e-2)
    real = torch.stack([torch.from_numpy(sounds.clip(index))[:2048] for index in range(3)])
    made = 0.1 * torch.randn(real.shape, generator=torch.Generator().manual_seed(1))
    first = None
    for _ in range(20):
        loss = discriminator_loss(judges(real), judges(made))
        first = float(loss.detach()) if first is None else first
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert first > 1.5
    assert float(loss.detach()) < 0.5 * first


def test_it_learns(sounds, tmp_path):
    one = engine(
        sounds, tmp_path / "run", (SPECTRAL.model_copy(update={"steps": 15, "learning_rate": 3e-3}),),
        ema_decay=0.5,
    )  # fmt: skip
    before = one.task.validate(0)
    after = one.train()
    assert after["spectral"] < before["spectral"]


@pytest.mark.parametrize("stopped", [4, *(pytest.param(stop, marks=pytest.mark.slow) for stop in (2, 6))])
def test_a_resumed_run_ends_in_the_same_weights(sounds, tmp_path, stopped):
    whole = engine(sounds, tmp_path / "whole")
    whole.train()

    first = engine(sounds, tmp_path / "parts")
    first.emit = stop_at(stopped + 1)
    with pytest.raises(StoppedError):
        first.train()
    second = engine(sounds, tmp_path / "parts")
    second.train()
    expected = weights(whole)
    for name, value in weights(second).items():
        assert torch.equal(value, expected[name]), name


def test_a_source_filter_vocoder_learns_pitch_then_spectra(sounds, tmp_path):
    vocoder = SourceFilterVocoder.build(SOURCE_FILTER, MEL)
    before = {name: value.clone() for name, value in vocoder.network.state_dict().items()}
    one = engine(sounds, tmp_path / "run", (PITCH, SPECTRAL, ADVERSARIAL), vocoder)
    figures = one.train()
    assert set(figures) == {"spectral", "mel"}
    entries = [json.loads(line) for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    steps = [entry for entry in entries if "held_out" not in entry]
    assert [entry["stage"] for entry in steps] == ["pitch"] * 4 + ["spectral"] * 4 + ["adversarial"] * 3
    assert {"spectral", "mel"} <= set(steps[4])
    assert {"fooling", "seen", "telling"} <= set(steps[-1])
    after = vocoder.network.state_dict()
    assert all(not torch.equal(after[name], before[name]) for name in ("pitch.head.weight", "filter.head.weight"))


@pytest.mark.slow
def test_the_pitch_stage_finds_the_pitch(sounds, tmp_path):
    vocoder = SourceFilterVocoder.build(SOURCE_FILTER, MEL)
    stage = PITCH.model_copy(update={"steps": 200, "learning_rate": 1e-2, "batch_size": 4})
    one = engine(sounds, tmp_path / "run", (stage,), vocoder, ema_decay=0.9)
    one.train()
    clip = sounds.clip(1)
    with torch.no_grad():
        pitch, voicing = vocoder.network.pitch.estimate(log_mel(torch.from_numpy(clip)[None], MEL))
    found = float(pitch[voicing > 0.5].median())
    assert found == pytest.approx(median_f0(Waveform(clip, RATE)), rel=0.1)


def test_a_vocoder_that_estimates_no_pitch_has_no_such_stage(sounds, tmp_path):
    with pytest.raises(BadInputError, match="estimates no pitch"):
        engine(sounds, tmp_path / "run", (PITCH,))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"kind": "istft"}, ISTFTSpec),
        ({"kind": "source_filter", "model": {"channels": 8}}, SourceFilterSpec),
        ({}, SourceFilterSpec),
    ],
)
def test_a_preset_holds_the_model_of_its_kind(content, kind):
    preset = VocoderPreset.model_validate({"description": "d", "stages": [SPECTRAL.model_dump()], **content})
    assert type(preset.model) is kind
