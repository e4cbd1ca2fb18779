"""Our HiFi-GAN against the official one: the sound of a narrow one, the names and shapes of V1."""

import json

import pytest
import torch
from safetensors.torch import save_file

from tests.reference.golden import FOLDERS, read
from voxgrad.vocoder.hifigan import Generator, HiFiGANSpec, fold_weight_norm, import_checkpoint

pytestmark = pytest.mark.parametrize("folder", FOLDERS, ids=["committed", "given"][: len(FOLDERS)])


@pytest.mark.usefixtures("untrusted_read_in_process")
def test_the_sound_is_the_official_one(folder, tmp_path):
    weights, config = tmp_path / "weights.safetensors", folder / "hifigan_tiny.config.json"
    save_file(read(folder / "hifigan_tiny.weights.safetensors"), weights)
    golden = read(folder / "hifigan_tiny.tensors.safetensors")
    wav = import_checkpoint(weights, config)(golden["mel"])
    expected = golden["wav"].squeeze(1)
    assert wav.shape == expected.shape
    assert (wav - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_v1_has_the_official_names_and_shapes(folder):
    text = (folder / "official_state_dict_shapes.json").read_text(encoding="utf-8")
    official = {name: torch.ones(shape) for name, shape in json.loads(text)["hifigan_v1_generator"].items()}
    generator = Generator(HiFiGANSpec(), n_mels=80)
    generator.load_state_dict(fold_weight_norm(official), strict=True)
