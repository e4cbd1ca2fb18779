"""Mels from files: what is taken, and what is refused."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from voxgrad.audio.mel import read_mel
from voxgrad.errors import BadInputError
from voxgrad.settings import MelSpec

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
    save_file(
        {"mel": torch.zeros(100, 4) - 1}, tmp_path / "mel.safetensors", {"mel": other.model_dump_json()}
    )
    mel, spec = read_mel(tmp_path / "mel.safetensors", SPEC)
    assert (mel.shape, spec) == ((100, 4), other)


@pytest.mark.parametrize("said", ["", "24000", '{"hop": 3}', '{"f_max": 99999}'])
def test_what_is_said_of_a_mel_must_be_understood(tmp_path, said):
    save_file({"mel": MEL}, tmp_path / "mel.safetensors", {"mel": said})
    with pytest.raises(BadInputError, match="cannot be understood"):
        read_mel(tmp_path / "mel.safetensors", SPEC)


@pytest.mark.parametrize("name", ["mel.pt", "mel.PTH", "mel.ckpt", "mel.pkl"])
def test_pickles_are_refused_with_the_reason(tmp_path, name):
    torch.save(MEL, tmp_path / name)
    with pytest.raises(BadInputError, match="could run any code"):
        read_mel(tmp_path / name, SPEC)


def test_an_array_of_objects_is_refused_unread(tmp_path):
    np.save(tmp_path / "mel.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(BadInputError, match="holds no array of numbers"):
        read_mel(tmp_path / "mel.npy", SPEC)


@pytest.mark.parametrize("name", ["mel.npy", "mel.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"nothing of the kind" * 10, b"PK\x03\x04"])
def test_damaged_files_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInputError, match="is damaged"):
        read_mel(tmp_path / name, SPEC)


def test_an_archive_of_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "mel.npz", MEL.numpy())
    (tmp_path / "mel.npz").rename(tmp_path / "mel.npy")
    with pytest.raises(BadInputError, match="holds no array"):
        read_mel(tmp_path / "mel.npy", SPEC)


def test_a_truncated_file_is_refused(tmp_path):
    for path in (put(tmp_path / "a.npy", MEL.numpy()), put(tmp_path / "a.safetensors", {"mel": MEL})):
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(BadInputError, match="is damaged"):
            read_mel(path, SPEC)


@pytest.mark.parametrize("name", ["mel.npy", "mel.safetensors"])
def test_missing_files_and_folders_are_refused(tmp_path, name):
    with pytest.raises(BadInputError, match="there is no mel file"):
        read_mel(tmp_path / name, SPEC)
    (tmp_path / name).mkdir()
    with pytest.raises(BadInputError, match="there is no mel file"):
        read_mel(tmp_path / name, SPEC)


@pytest.mark.parametrize("tensors", [{}, {"a": MEL, "b": MEL + 1}])
def test_one_tensor_is_wanted(tmp_path, tensors):
    with pytest.raises(BadInputError, match=f"holds {len(tensors)} tensors"):
        read_mel(put(tmp_path / "mel.safetensors", tensors), SPEC)


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (MEL.numpy().T, "has 7 mel bands, and the vocoder takes 80"),
        (np.zeros((7, 80)) - 1, "transposed"),
        (np.zeros(80), "no mel but 80 numbers"),
        (np.zeros((2, 80, 7)), "no mel but 2 by 80 by 7 numbers"),
        (np.zeros((80, 7), np.int32), "80 by 7 numbers of int32"),
        (np.zeros((80, 7), np.complex64), "numbers of complex64"),
        (np.zeros((80, 0)), "has no frames"),
        (np.full((80, 7), np.nan), "not finite"),
        (np.full((80, 7), -np.inf), "not finite"),
        (MEL.numpy() * 8.7, "has values from -100 to 17.4"),
        (np.exp(MEL.numpy()), "has values from 1.013e-05 to 7.389"),
        (np.zeros((80, 7)), "has values from 0 to 0"),
        (MEL.numpy() + 5, "and the natural logarithm of audio lies between -11.51 and 5.545"),
    ],
)
def test_what_is_no_such_mel_is_refused(tmp_path, array, complaint):
    with pytest.raises(BadInputError) as caught:
        read_mel(put(tmp_path / "mel.npy", array), SPEC)
    assert complaint in str(caught.value)


def test_words_are_no_mel(tmp_path):
    np.save(tmp_path / "mel.npy", np.array(["a", "b"]))
    with pytest.raises(BadInputError, match="no array of numbers"):
        read_mel(tmp_path / "mel.npy", SPEC)
