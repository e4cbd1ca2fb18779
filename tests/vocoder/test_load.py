"""Vocoders in directories, and mels that do not fit."""

import json

import pytest
import torch

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.settings import MelSpec
from voxgrad.vocoder.hifigan import HiFiGAN, HiFiGANSpec
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.registry import load, require_mel, save

CPU = torch.device("cpu")
SPEC = HiFiGANSpec(
    upsample_initial_channel=16, resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),), resblock="2"
)


@pytest.fixture
def hifigan():
    torch.manual_seed(0)
    return HiFiGAN.build(SPEC, MelSpec())


def test_a_hifigan_comes_back_as_it_was(tmp_path, hifigan):
    save(hifigan, tmp_path)
    loaded = load(tmp_path, CPU)
    assert isinstance(loaded, HiFiGAN)
    assert (loaded.name, loaded.spec, loaded.mel) == ("hifigan", SPEC, MelSpec())
    mel = torch.randn(1, 80, 5)
    torch.testing.assert_close(loaded(mel), hifigan(mel), rtol=0, atol=0)


def test_half_precision_halves_the_file_and_nearly_keeps_the_sound(tmp_path, hifigan):
    sizes = []
    for name, dtype in (("whole", None), ("half", torch.float16)):
        directory = tmp_path / name
        directory.mkdir()
        save(hifigan, directory, dtype)
        sizes.append((directory / "weights.safetensors").stat().st_size)
    assert sizes[1] < 0.6 * sizes[0]
    mel = torch.randn(1, 80, 5)
    torch.testing.assert_close(load(tmp_path / "half", CPU)(mel), hifigan(mel), atol=1e-3, rtol=0)


def test_griffin_lim_comes_back_without_weights(tmp_path):
    vocoder = GriffinLim(GriffinLimSpec(n_iter=5), MelSpec(n_mels=40))
    save(vocoder, tmp_path)
    assert [child.name for child in tmp_path.iterdir()] == ["vocoder.json"]
    loaded = load(tmp_path, CPU)
    assert loaded == vocoder
    assert loaded.name == "griffinlim"


def test_a_directory_without_a_vocoder_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="contains no vocoder"):
        load(tmp_path, CPU)
    with pytest.raises(BadInputError, match="contains no vocoder"):
        load(tmp_path / "missing", CPU)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"type": "wavenet", "spec": {}, "mel": {}}', '{"type": "griffinlim", "spec": {}}']
)
def test_a_description_that_cannot_be_read_is_refused(tmp_path, content):
    (tmp_path / "vocoder.json").write_text(content)
    with pytest.raises(IntegrityError, match="a vocoder that this version does not know"):
        load(tmp_path, CPU)


def test_an_unknown_setting_is_named(tmp_path, hifigan):
    save(hifigan, tmp_path)
    record = json.loads((tmp_path / "vocoder.json").read_text())
    record["spec"]["activation"] = "snake"
    (tmp_path / "vocoder.json").write_text(json.dumps(record))
    with pytest.raises(IntegrityError, match="activation"):
        load(tmp_path, CPU)


def test_missing_damaged_and_foreign_weights_are_refused(tmp_path, hifigan):
    save(hifigan, tmp_path)
    weights = tmp_path / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(IntegrityError):
        load(tmp_path, CPU)
    weights.unlink()
    with pytest.raises(IntegrityError):
        load(tmp_path, CPU)
    other = tmp_path / "other"
    other.mkdir()
    save(HiFiGAN.build(HiFiGANSpec(upsample_initial_channel=32), MelSpec()), other)
    (other / "weights.safetensors").replace(weights)
    with pytest.raises(BadInputError, match="resblocks"):
        load(tmp_path, CPU)


def test_another_mel_is_refused_and_both_sides_are_named(hifigan):
    with pytest.raises(BadInputError) as caught:
        require_mel(hifigan, MelSpec(sample_rate=24000, f_max=12000))
    assert "sample_rate 22050 against 24000" in caught.value.message
    assert "f_max 8000 against 12000" in caught.value.message
    assert "hop_length" not in caught.value.message
