"""Checkpoints of others become bases and vocoders, or are refused in one line."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save_file

from tests.reference.golden import read
from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import ModelSpec
from voxgrad.store import Store

SPEC = ModelSpec(
    n_spks=3, n_enc_channels=32, filter_channels=48, filter_channels_dp=24, n_enc_layers=2, dec_dim=16, pe_scale=1
)
ASKED = ("--kind", "base", "--pe-scale", "1", "--text-frontend", "official")
REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return GradTTS(SPEC).state_dict()


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_sizes_follow_from_shapes(untrusted_read_in_process, state, ending, tmp_path: Path, command):
    file = tmp_path / f"Grad TTS.{ending}"
    torch.save(state, file) if ending == "pt" else save_file(state, file)
    assert command("import", file, *ASKED, "--licence", "MIT").code == 0
    base = Store.open(tmp_path / "home").find(None, "base")
    assert base.manifest.licence == "MIT"
    assert base.manifest.settings["imported"]["file"] == file.name
    acoustic = load_acoustic_model(base)
    assert acoustic.spec.model == SPEC
    assert acoustic.spec.text.frontend == "official"
    assert all(torch.equal(value, state[name]) for name, value in acoustic.model.state_dict().items())
    again = command("import", file, *ASKED, "--licence", "MIT")
    assert again.code == 0
    assert base.ref in again.out
    assert [one.ref for one in Store.open(tmp_path / "home").list("base") if not one.embedded] == [base.ref]


def test_what_no_shape_tells_is_asked_for(state, tmp_path: Path, refused):
    torch.save(state, tmp_path / "a.pt")
    assert "--pe-scale 1000" in refused("import", tmp_path / "a.pt", "--kind", "base", "--text-frontend", "official")
    line = refused("import", tmp_path / "a.pt", "--kind", "base", "--pe-scale", "1000")
    assert "--text-frontend official" in line
    assert "--pe-scale 1000" in refused("import", tmp_path / "a.pt", *ASKED, "--pe-scale", "7")


@pytest.mark.usefixtures("untrusted_read_in_process")
def test_damaged_and_foreign_checkpoints_are_refused(state, tmp_path: Path, refused):
    file = tmp_path / "a.pt"

    def line(content: object) -> str:
        torch.save(content, file)
        return refused("import", file, *ASKED)

    name = "encoder.emb.weight"
    assert "is not a Grad-TTS checkpoint" in line({"weight": torch.zeros(2)})
    assert "is not a Grad-TTS checkpoint" in line({k: v for k, v in state.items() if k != name})
    assert "unknown surplus" in line({**state, "surplus": torch.zeros(1)})
    assert "misses encoder.proj_m.bias" in line({k: v for k, v in state.items() if k != "encoder.proj_m.bias"})
    assert "is (3,) where (80,)" in line({**state, "encoder.proj_m.bias": torch.zeros(3)})
    assert "not finite" in line({**state, "encoder.proj_m.bias": torch.full((80,), torch.nan)})
    assert "English table" in line({**state, name: torch.zeros(40, 32)})
    file.write_bytes(b"no checkpoint at all")
    assert "is not a checkpoint" in refused("import", file, *ASKED)
    assert "there is no" in refused("import", tmp_path / "nowhere.pt", *ASKED)


@pytest.mark.usefixtures("untrusted_read_in_process")
def test_a_hifigan_is_imported_and_speaks(furnished, tmp_path: Path, command, refused):
    save_file(read(REFERENCE / "hifigan_tiny.weights.safetensors"), tmp_path / "hifi.safetensors")
    shutil.copy(REFERENCE / "hifigan_tiny.config.json", tmp_path / "config.json")
    arguments = ("import", tmp_path / "hifi.safetensors", "--kind", "vocoder")
    assert "--config config.json" in refused(*arguments)
    assert command(*arguments, "--config", tmp_path / "config.json").code == 0
    (vocoder,) = [one for one in furnished.list("vocoder") if not one.embedded]
    stored = load(vocoder.path("weights.safetensors").read_bytes())
    assert not any(name.endswith(("weight_g", "weight_v")) for name in stored)
    spoken = command("say", "Hello.", "--voice", "voice/robot", "--steps", "1", "--vocoder", "hifi", "--json")
    assert spoken.code == 0
    assert '"vocoder": "hifi@v1"' in spoken.out
