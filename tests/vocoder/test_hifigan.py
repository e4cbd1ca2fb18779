"""HiFi-GAN: its forms, its checkpoints, and what may be wrong with them."""

import json

import pytest
import torch
from torch import nn

from voxgrad.errors import BadInputError
from voxgrad.settings import MelSpec
from voxgrad.vocoder.hifigan import Generator, HiFiGAN, HiFiGANSpec, fold_weight_norm, import_checkpoint

pytestmark = pytest.mark.usefixtures("untrusted_read_in_process")

V1 = HiFiGANSpec()
V2 = HiFiGANSpec(upsample_initial_channel=128)
V3 = HiFiGANSpec(
    resblock="2",
    upsample_rates=(8, 8, 4),
    upsample_kernel_sizes=(16, 16, 8),
    upsample_initial_channel=256,
    resblock_kernel_sizes=(3, 5, 7),
    resblock_dilation_sizes=((1, 2), (2, 6), (3, 12)),
)
SMALL = HiFiGANSpec(upsample_initial_channel=16, resblock_kernel_sizes=(3, 5), resblock_dilation_sizes=((1,), (1, 2)))
CONFIG = {
    **json.loads(SMALL.model_dump_json()),
    "sampling_rate": 22050,
    "n_fft": 1024,
    "win_size": 1024,
    "hop_size": 256,
    "num_mels": 80,
    "fmin": 0,
    "fmax": 8000,
    "fmax_loss": None,
    "learning_rate": 2e-4,
    "dist_config": {"world_size": 1},
}


def imported(tmp_path, state, config=CONFIG):
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.save(state, tmp_path / "g_00000001")
    return import_checkpoint(tmp_path / "g_00000001", tmp_path / "config.json")


@pytest.fixture
def state():
    torch.manual_seed(0)
    return Generator(SMALL, 80).state_dict()


# The sizes that the paper's table 1 gives, in millions of parameters; those of V1 and V2 are rounded there.
@pytest.mark.parametrize(("spec", "millions"), [(V1, 13.92), (V2, 0.92), (V3, 1.46)], ids=["V1", "V2", "V3"])
def test_the_published_forms_have_the_published_sizes(spec, millions):
    generator = Generator(spec, 80)
    assert sum(p.numel() for p in generator.parameters()) / 1e6 == pytest.approx(millions, abs=0.015)


@pytest.mark.parametrize("spec", [V2, V3, SMALL], ids=["V2", "V3", "small"])
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_each_frame_becomes_a_hop(spec, frames):
    vocoder = HiFiGAN.build(spec, MelSpec())
    wav = vocoder(torch.randn(2, 80, frames))
    assert wav.shape == (2, frames * 256)
    assert wav.is_inference()
    assert wav.abs().max() <= 1


def test_the_network_can_be_trained():
    generator = Generator(SMALL, 80)
    generator(torch.randn(1, 80, 3)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
@pytest.mark.parametrize("modern", [False, True])
def test_weight_norm_is_folded(modern):
    plain = Generator(SMALL, 80)
    mel = torch.randn(1, 80, 4)
    norm = nn.utils.parametrizations.weight_norm if modern else nn.utils.weight_norm
    for layer in list(plain.modules()):
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
            norm(layer)
            magnitude = layer.parametrizations.weight.original0 if modern else layer.weight_g
            nn.init.uniform_(magnitude, 0.1, 0.5)
    folded = fold_weight_norm(plain.state_dict())
    again = Generator(SMALL, 80)
    again.load_state_dict(folded, strict=True)
    with torch.no_grad():
        torch.testing.assert_close(again(mel), plain(mel))


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"generator": state}])
def test_checkpoints_come_bare_or_wrapped(tmp_path, state, wrap):
    vocoder = imported(tmp_path, wrap(state))
    assert vocoder.spec == SMALL
    assert vocoder.mel == MelSpec()
    for name, tensor in vocoder.network.state_dict().items():
        torch.testing.assert_close(tensor, state[name])


def test_a_config_of_a_fork_is_understood(tmp_path, state):
    vocoder = imported(tmp_path, state, {**CONFIG, "resblock": 1, "fmax": None})
    assert vocoder.spec.resblock == "1"
    assert vocoder.mel.f_max == 11025


DIRECTION = torch.ones(16, 80, 7)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"conv_post.weight": None, "conv_last.weight": torch.zeros(1, 1, 7)}, "conv_post.weight"),
        ({"conv_post.bias": torch.zeros(2)}, "conv_post.bias"),
        ({"conv_pre.bias": torch.full((16,), torch.nan)}, "conv_pre.bias"),
        ({"conv_pre.weight": None, "conv_pre.weight_g": torch.ones(16, 1, 1)}, "conv_pre"),
        ({"conv_pre.weight_g": torch.ones(15, 1, 1), "conv_pre.weight_v": DIRECTION}, "conv_pre"),
        ({"conv_pre.weight_g": torch.ones(16, 1, 1), "conv_pre.weight_v": 0 * DIRECTION}, "conv_pre.weight"),
        ({"generator": 3}, "not a state dict"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, state, changes, reason):
    changed = {name: tensor for name, tensor in (state | changes).items() if tensor is not None}
    with pytest.raises(BadInputError, match=reason):
        imported(tmp_path, changed)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hop_size": 300}, "multiply to 256, but the hop is 300"),
        ({"upsample_rates": [8, 8, 2]}, "same length"),
        ({"upsample_kernel_sizes": [15, 16, 4, 4]}, "even number"),
        ({"upsample_kernel_sizes": [4, 16, 4, 4]}, "even number"),
        ({"upsample_rates": []}, "upsample_rates"),
        ({"resblock_dilation_sizes": [[1]]}, "same length"),
        ({"resblock_kernel_sizes": [3, 4]}, "odd"),
        ({"upsample_initial_channel": 24}, "halve"),
        ({"resblock": "3"}, "resblock"),
        ({"num_mels": -80}, "n_mels"),
        ({"sampling_rate": "fast"}, "sample_rate"),
    ],
)
def test_a_config_that_cannot_be_is_refused(tmp_path, state, change, reason):
    with pytest.raises(BadInputError, match=reason):
        imported(tmp_path, state, CONFIG | change)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"not json", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[1, 2]", "not a HiFi-GAN config"),
        (b'{"resblock": "1"}', "upsample_rates, .*hop_size"),
    ],
)
def test_a_config_that_is_none_is_refused(tmp_path, content, reason):
    config = tmp_path / "config.json"
    if content is not None:
        config.write_bytes(content)
    with pytest.raises(BadInputError, match=reason):
        import_checkpoint(tmp_path / "g", config)


def test_a_checkpoint_for_another_config_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="resblocks"):
        imported(tmp_path, Generator(V3, 80).state_dict())
