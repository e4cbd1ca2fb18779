"""Checkpoints of others become bases and vocoders, or are refused in one line; weights in half precision."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, load_file, save_file

from tests.reference.golden import read
from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.errors import BadInputError
from voxgrad.events import ignore
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import ModelSpec
from voxgrad.steps.weights import halve_weights, shrink
from voxgrad.store import Store
from voxgrad.voice.load import load_voice

WEIGHTS = "weights.safetensors"
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
def test_sizes_follow_from_shapes(untrusted_read_in_process, state, ending, tmp_path: Path, done):
    file = tmp_path / f"Grad TTS.{ending}"
    torch.save(state, file) if ending == "pt" else save_file(state, file)
    done("import", file, *ASKED, "--licence", "MIT")
    base = Store.open(tmp_path / "home").find(None, "base")
    assert base.manifest.licence == "MIT"
    assert base.manifest.settings["imported"]["file"] == file.name
    acoustic = load_acoustic_model(base)
    assert acoustic.spec.model == SPEC
    assert acoustic.spec.text.frontend == "official"
    assert all(torch.equal(value, state[name]) for name, value in acoustic.model.state_dict().items())
    again = done("import", file, *ASKED, "--licence", "MIT")
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
    assert "lacks encoder.proj_m.bias" in line({k: v for k, v in state.items() if k != "encoder.proj_m.bias"})
    assert "English table" in line({**state, name: torch.zeros(40, 32)})
    file.write_bytes(b"no checkpoint at all")
    assert "is not a checkpoint" in refused("import", file, *ASKED)
    assert "there is no" in refused("import", tmp_path / "nowhere.pt", *ASKED)


@pytest.mark.usefixtures("untrusted_read_in_process")
def test_a_hifigan_is_imported_and_speaks(furnished, tmp_path: Path, done, refused):
    save_file(read(REFERENCE / "hifigan_tiny.weights.safetensors"), tmp_path / "hifi.safetensors")
    shutil.copy(REFERENCE / "hifigan_tiny.config.json", tmp_path / "config.json")
    arguments = ("import", tmp_path / "hifi.safetensors", "--kind", "vocoder")
    assert "--config config.json" in refused(*arguments)
    done(*arguments, "--config", tmp_path / "config.json")
    (vocoder,) = [one for one in furnished.list("vocoder") if not one.embedded]
    stored = load(vocoder.path("weights.safetensors").read_bytes())
    assert not any(name.endswith(("weight_g", "weight_v")) for name in stored)
    spoken = done("say", "Hello.", "--voice", "voice/robot", "--steps", "1", "--vocoder", "hifi", "--json")
    assert '"vocoder": "hifi@v1"' in spoken.out


def test_a_voice_is_half_as_large_speaks_almost_the_same_and_all_else_stays(furnished):
    voice = furnished.find("robot", "voice")
    half = halve_weights(furnished, voice, ignore)
    assert half.ref == f"robot@v{voice.version + 1}"
    assert half.path(WEIGHTS).stat().st_size < 0.6 * voice.path(WEIGHTS).stat().st_size
    assert all(one.dtype != torch.float32 for one in load_file(half.path(WEIGHTS)).values())
    before, after = voice.manifest, half.manifest
    assert after.settings == {**before.settings, "half_precision": True}
    assert (after.consent, after.licence, after.metrics) == (before.consent, before.licence, before.metrics)
    assert after.parents == {**before.parents, "source": voice.as_parent()}
    others, also = ({one.path: one.sha256 for one in files.files if one.path != WEIGHTS} for files in (before, after))
    assert others == also
    speaking = (load_voice(furnished, f"voice/{one.ref}", "griffinlim", engine="torch") for one in (voice, half))
    mels = [next(one.stream(["Hello there."])).mel for one in speaking]
    assert mels[0].shape == mels[1].shape
    assert 0 < float(np.abs(mels[0] - mels[1]).mean()) < 0.05
    # The same work is done once, and what is half stays.
    assert halve_weights(furnished, voice, ignore).digest == half.digest
    said = []
    assert halve_weights(furnished, half, said.append).digest == half.digest
    assert "already in half precision" in said[0].text
    with pytest.raises(BadInputError, match="has no weights of its own"):
        halve_weights(furnished, furnished.find("robot", "dataset"), ignore)


def test_a_small_voice_needs_its_base_and_speaks_nearly_the_same(furnished, done, refused, tmp_path):
    voice = furnished.find("robot", "voice")
    home = ("--home", furnished.home)
    done("export", "voice/robot", "--small", "-o", "small.voxgrad", "-q", *home)
    small = furnished.find("robot", "voice")
    assert small.ref == f"robot@v{voice.version + 1}"
    assert {file.path for file in small.manifest.files} >= {"difference.safetensors", "phones.json"}
    assert not any(file.path.endswith((".png", ".svg", WEIGHTS)) for file in small.manifest.files)
    assert (small.manifest.consent, small.manifest.licence) == (voice.manifest.consent, voice.manifest.licence)
    one, other = (load_acoustic_model(each).model.state_dict() for each in (voice, small))
    assert max(float((other[name] - one[name]).abs().max()) for name in one) < 0.03
    done("say", "Hello.", "--voice", f"voice/{small.ref}", "-o", "a.wav", "-q", *home)
    assert shrink(furnished, small, ignore).digest == small.digest
    # Elsewhere it speaks where the base is, and says so where it is not.
    elsewhere = ("--home", tmp_path / "elsewhere")
    done("import", "small.voxgrad", "-q", *elsewhere)
    assert "which is not in this store" in refused("say", "Hello.", "--voice", "voice/robot", "-o", "b.wav", *elsewhere)
    done("export", f"voice/{small.ref}", "--with-parents", "-o", "all.voxgrad", "-q", *home)
    done("import", "all.voxgrad", "-q", *elsewhere)
    done("say", "Hello.", "--voice", "voice/robot", "-o", "b.wav", "-q", *elsewhere)
    assert Path("a.wav").stat().st_size == Path("b.wav").stat().st_size


def test_what_is_no_clone_cannot_be_small(furnished, refused):
    assert "was not made from a base" in refused("export", "base/english", "--small", "--home", furnished.home)
    assert "without --half" in refused("export", "voice/robot", "--small", "--half", "--home", furnished.home)


def test_what_half_precision_cannot_hold_is_refused_and_nothing_left(furnished, tmp_path):
    voice = furnished.find("robot", "voice")
    weights = load_file(voice.path(WEIGHTS))
    name = next(name for name, one in weights.items() if one.dtype == torch.float32)
    with furnished.stage("voice", "loud") as staged:
        save_file({**weights, name: torch.full_like(weights[name], 1e6)}, staged.directory / WEIGHTS)
        loud = staged.publish(fingerprint="0" * 64, settings=voice.manifest.settings)
    with pytest.raises(BadInputError, match="too large for half precision"):
        halve_weights(furnished, loud, ignore)
    assert [one.ref for one in furnished.list("voice") if one.name == "loud"] == ["loud@v1"]


def test_export_halves_and_packs(furnished, done, tmp_path):
    done("export", "voice/robot", "--half", "-o", tmp_path / "robot.voxgrad", "-q")
    assert furnished.find("robot", "voice").manifest.settings["half_precision"] is True
    assert (tmp_path / "robot.voxgrad").stat().st_size > 1000
    refused = done("export", "voice/robot", "--half", "--format", "safetensors", code=2)
    assert "--half works only for archives" in refused.err
