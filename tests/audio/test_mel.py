"""The log-mel, against one written a second time from its definition."""

import io

import numpy as np
import pytest
import torch
from formant_synthesis import speak_phones
from safetensors.torch import save, save_file

from voxgrad.audio.mel import log_mel, read_mel
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
    [MelSpec(), MelSpec(sample_rate=16000, n_fft=512, win_length=512, hop_length=160, n_mels=40, f_min=50, f_max=7600)],
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


SPEC = MelSpec()
MEL = torch.linspace(-11.5, 2.0, 80 * 7).reshape(80, 7)


def put(path, content):
    if path.suffix == ".npy":
        np.save(path, content)
    else:
        save_file(content, path)
    return path


@pytest.mark.parametrize("kind", [">f4", "<f4", "f8", "f2"])
@pytest.mark.parametrize("shape", [(80, 7), (1, 80, 7)])
def test_an_array_is_read_in_any_precision(tmp_path, kind, shape):
    mel, spec = read_mel(put(tmp_path / "mel.npy", MEL.numpy().reshape(shape).astype(kind)), SPEC)
    assert spec == SPEC
    assert mel.dtype == torch.float32
    torch.testing.assert_close(mel, MEL, atol=0.01, rtol=0)


def test_fortran_order_changes_nothing(tmp_path):
    mel, _ = read_mel(put(tmp_path / "mel.npy", np.asfortranarray(MEL.numpy())), SPEC)
    assert torch.equal(mel, MEL)


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_safetensors_are_read_in_any_precision(tmp_path, kind):
    mel, spec = read_mel(put(tmp_path / "mel.safetensors", {"any": MEL.to(kind)}), SPEC)
    assert spec == SPEC
    torch.testing.assert_close(mel, MEL, atol=0.05, rtol=0)


def test_safetensors_may_say_what_their_mel_is(tmp_path):
    other = MelSpec(sample_rate=24000, f_max=12000, n_mels=100)
    save_file({"mel": torch.zeros(100, 4) - 1}, tmp_path / "mel.safetensors", {"mel": other.model_dump_json()})
    mel, spec = read_mel(tmp_path / "mel.safetensors", SPEC)
    assert (mel.shape, spec) == ((100, 4), other)


@pytest.mark.parametrize("said", ["", "24000", '{"hop": 3}', '{"f_max": 99999}'])
def test_what_is_said_of_a_mel_must_be_understood(tmp_path, said):
    save_file({"mel": MEL}, tmp_path / "mel.safetensors", {"mel": said})
    with pytest.raises(BadInputError, match="has invalid mel settings"):
        read_mel(tmp_path / "mel.safetensors", SPEC)


@pytest.mark.parametrize("name", ["mel.pt", "mel.PTH", "mel.ckpt", "mel.pkl"])
def test_pickles_are_refused_with_the_reason(tmp_path, name):
    torch.save(MEL, tmp_path / name)
    with pytest.raises(BadInputError, match="could run arbitrary code"):
        read_mel(tmp_path / name, SPEC)


def stored(save, *arguments, **options) -> bytes:
    """What a function writes into a file."""
    file = io.BytesIO()
    save(file, *arguments, **options)
    return file.getvalue()


@pytest.mark.parametrize("name", ["mel.npy", "mel.safetensors"])
@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\x93NUMPY", b"nothing of the kind" * 10, b"PK\x03\x04", stored(np.savez, MEL.numpy())),
        *(stored(np.save, MEL.numpy())[:-9], save({"mel": MEL})[:-9], stored(np.save, np.array(["a", "b"]))),
        stored(np.save, np.array([{}], dtype=object), allow_pickle=True),
    ],
)
def test_what_is_damaged_or_no_array_is_refused_unread(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInputError, match="is damaged"):
        read_mel(tmp_path / name, SPEC)


@pytest.mark.parametrize("name", ["mel.npy", "mel.safetensors"])
def test_missing_files_and_folders_are_refused(tmp_path, name):
    with pytest.raises(BadInputError, match="there is no mel file"):
        read_mel(tmp_path / name, SPEC)
    (tmp_path / name).mkdir()
    with pytest.raises(BadInputError, match="there is no mel file"):
        read_mel(tmp_path / name, SPEC)


@pytest.mark.parametrize("tensors", [{}, {"a": MEL, "b": MEL + 1}])
def test_one_tensor_is_wanted(tmp_path, tensors):
    with pytest.raises(BadInputError, match=f"contains {len(tensors)} tensors"):
        read_mel(put(tmp_path / "mel.safetensors", tensors), SPEC)


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (MEL.numpy().T, "has 7 mel bands, but the vocoder takes 80"),
        (np.zeros((7, 80)) - 1, "transposed"),
        (np.zeros(80), "does not hold a mel, but 80 numbers"),
        (np.zeros((2, 80, 7)), "does not hold a mel, but 2 by 80 by 7 numbers"),
        (np.zeros((80, 7), np.int32), "80 by 7 numbers of int32"),
        (np.zeros((80, 7), np.complex64), "numbers of complex64"),
        (np.zeros((80, 0)), "has no frames"),
        (np.full((80, 7), np.nan), "not finite"),
        (np.full((80, 7), -np.inf), "not finite"),
        (MEL.numpy() * 8.7, "has values from -100 to 17.4"),
        (np.exp(MEL.numpy()), "has values from 1.013e-05 to 7.389"),
        (np.zeros((80, 7)), "has values from 0 to 0"),
        (MEL.numpy() + 5, "but the log-mel of audio lies between -11.51 and 5.545"),
    ],
)
def test_what_is_no_such_mel_is_refused(tmp_path, array, complaint):
    with pytest.raises(BadInputError) as caught:
        read_mel(put(tmp_path / "mel.npy", array), SPEC)
    assert complaint in str(caught.value)
