"""Audio files, in all their forms and with all their faults."""

import io

import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgrad.audio.io import Waveform, read_audio, read_recording, resample, write_audio
from voxgrad.errors import BadInputError, EnvironmentFailureError


def tone(rate=22050, seconds=0.5, frequency=440.0, amplitude=0.5):
    time = np.arange(round(rate * seconds)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


# How far a sample may lie from what was written: one step of the format.
FORMS = [
    ("wav", "PCM_U8", 1 / 64),
    ("wav", "PCM_16", 1e-4),
    ("wav", "PCM_24", 1e-6),
    ("wav", "PCM_32", 1e-6),
    ("wav", "FLOAT", 1e-7),
    ("wav", "DOUBLE", 1e-7),
    ("wav", "ULAW", 0.02),
    ("flac", "PCM_16", 1e-4),
    ("flac", "PCM_24", 1e-6),
    ("aiff", "PCM_16", 1e-4),
    ("caf", "PCM_16", 1e-4),
    ("au", "PCM_16", 1e-4),
]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("ending", "subtype", "tolerance"), FORMS)
def test_every_depth_and_container_is_read(tmp_path, ending, subtype, tolerance, channels):
    path = tmp_path / f"tone.{ending}"
    samples = tone()
    soundfile.write(path, np.stack([samples] * channels, axis=1), 22050, subtype=subtype)
    waveform = read_audio(path)
    assert waveform.rate == 22050
    assert waveform.samples.dtype == np.float32
    np.testing.assert_allclose(waveform.samples, samples, atol=tolerance)


def refused(path):
    with pytest.raises(BadInputError) as caught:
        read_audio(path)
    assert str(path) in caught.value.message
    assert not caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
    return caught.value.message


def test_what_is_no_file_is_refused(tmp_path):
    assert "does not exist" in refused(tmp_path / "missing.wav")
    folder = tmp_path / "folder.wav"
    folder.mkdir()
    assert "is not a file" in refused(folder)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"R", "not an audio file"),
        (b"RIFF", "not an audio file"),
        (b"Dear diary, today I did not record anything at all.\n" * 20, "not an audio file"),
        (b"\xff" * 4000, "not an audio file"),
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "not an audio file"),
    ],
)
def test_what_holds_no_sound_is_refused(tmp_path, content, reason):
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    assert reason in refused(path)


def test_raw_samples_are_refused(tmp_path):
    path = tmp_path / "samples.raw"
    path.write_bytes(tone().tobytes())
    assert "no header" in refused(path)


@pytest.mark.parametrize("ending", ["wav", "flac", "aiff", "mp3", "ogg"])
def test_a_file_of_no_samples_is_refused(tmp_path, ending):
    path = tmp_path / f"nothing.{ending}"
    soundfile.write(path, np.zeros(0, np.float32), 22050)
    refused(path)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0])
def test_a_streamed_wav_with_no_size_is_read(tmp_path, size):
    stored = io.BytesIO()
    soundfile.write(stored, tone(), 22050, format="WAV")
    content = bytearray(stored.getvalue())
    content[4:8] = size.to_bytes(4, "little")
    if size:
        content[40:44] = size.to_bytes(4, "little")
    path = tmp_path / "streamed.wav"
    path.write_bytes(content)
    assert read_audio(path).seconds == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_silence_and_a_constant_are_refused(tmp_path, value):
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.full((22050, 2), value, np.float32), 22050)
    assert "silent" in refused(path)


@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_of_channels_in_opposite_phase_one_is_taken(tmp_path, offset):
    path = tmp_path / "opposite.wav"
    soundfile.write(path, np.stack([0.5 * tone(), -tone()], axis=1) + offset, 22050, subtype="FLOAT")
    recording = read_recording(path)
    assert recording.cancelling
    assert recording.channels == 2
    np.testing.assert_allclose(recording.waveform.samples, offset - tone(), atol=1e-6)


def test_independent_channels_are_averaged(tmp_path):
    path = tmp_path / "stereo.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, (22050, 2)).astype(np.float32)
    soundfile.write(path, noise, 22050, subtype="FLOAT")
    recording = read_recording(path)
    assert not recording.cancelling
    np.testing.assert_allclose(recording.waveform.samples, noise.mean(axis=1), atol=1e-6)


def test_what_lasts_too_long_is_refused_by_its_header(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, tone(), 22050)
    with pytest.raises(BadInputError, match="but a recording may last"):
        read_recording(path, 0.4)


@pytest.mark.parametrize(("name", "tolerance"), [("a.wav", 1e-4), ("a.FLAC", 1e-4), ("a.ogg", 0.05)])
def test_what_is_written_reads_back(tmp_path, name, tolerance):
    path = tmp_path / name
    write_audio(path, Waveform(tone(), 22050))
    back = read_audio(path)
    assert back.rate == 22050
    np.testing.assert_allclose(back.samples, tone(), atol=tolerance)
    assert [child.name for child in tmp_path.iterdir()] == [name]


def test_samples_beyond_full_scale_are_clipped_and_do_not_wrap(tmp_path):
    path = tmp_path / "loud.wav"
    write_audio(path, Waveform(tone(amplitude=3.0), 22050))
    back = read_audio(path).samples
    np.testing.assert_allclose(back, np.clip(tone(amplitude=3.0), -1, 1), atol=1e-4)


def test_a_long_ogg_is_written(tmp_path):
    path = tmp_path / "long.ogg"
    write_audio(path, Waveform(np.tile(tone(), 120), 22050))
    assert read_audio(path).seconds == pytest.approx(60)


def test_writing_refuses_what_it_cannot_do(tmp_path):
    waveform = Waveform(tone(), 22050)
    for path in (tmp_path / "a.mp4", tmp_path / "a", tmp_path / "missing" / "a.wav"):
        with pytest.raises(BadInputError):
            write_audio(path, waveform)
    (tmp_path / "b.wav").mkdir()
    with pytest.raises(BadInputError, match="folder"):
        write_audio(tmp_path / "b.wav", waveform)
    with pytest.raises(BadInputError, match="finite"):
        write_audio(tmp_path / "c.wav", Waveform(np.array([0, np.nan], np.float32), 22050))
    assert [child.name for child in tmp_path.iterdir()] == ["b.wav"]


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    write_audio(path, Waveform(tone(), 22050))
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile.SoundFile, "write", full)
    with pytest.raises(EnvironmentFailureError, match="The disk is full"):
        write_audio(path, Waveform(tone(frequency=100), 22050))
    assert path.read_bytes() == before
    assert [child.name for child in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("samples", [np.zeros((2, 3), np.float32), np.zeros(3)])
def test_a_waveform_is_one_row_of_float32(samples):
    with pytest.raises(ValueError, match="float32"):
        Waveform(samples, 22050)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 48000, 96000])
def test_resampling_keeps_a_tone(rate):
    resampled = resample(Waveform(tone(rate), rate), 22050)
    assert resampled.rate == 22050
    assert resampled.seconds == pytest.approx(0.5, abs=1e-3)
    middle = slice(2000, -2000)
    np.testing.assert_allclose(resampled.samples[middle], tone()[: len(resampled.samples)][middle], atol=2e-3)


@pytest.mark.parametrize(("old", "new"), [(22050, 24000), (48000, 22050), (16000, 22050)])
def test_resampling_is_that_of_torchaudio(old, new):
    samples = np.random.default_rng(0).standard_normal(old // 3).astype(np.float32)
    wanted = torchaudio.functional.resample(
        torch.from_numpy(samples),
        *(old, new, 64),
        rolloff=0.9475937167399596,
        resampling_method="sinc_interp_kaiser",
        beta=14.769656459379492,
    )
    # Its times are float32.
    np.testing.assert_allclose(resample(Waveform(samples, old), new).samples, wanted.numpy(), atol=1e-4)


def test_resampling_does_not_alias():
    above = resample(Waveform(tone(48000, frequency=13000), 48000), 22050)
    assert np.abs(above.samples[2000:-2000]).max() < 0.5 * 10 ** (-80 / 20)


@settings(deadline=None, max_examples=6)
@given(rate=st.integers(2000, 200000), target=st.sampled_from([16000, 22050]))
def test_resampling_takes_any_rate(rate, target):
    resampled = resample(Waveform(tone(rate, 0.1), rate), target)
    assert resampled.seconds == pytest.approx(0.1, abs=1e-3)
    assert np.sqrt(np.mean(resampled.samples**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)
