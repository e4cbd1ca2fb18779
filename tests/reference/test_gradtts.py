"""Our Grad-TTS against the official implementation's figures, number by number.

The committed subset holds a small one-speaker model and what ``pe_scale`` 1 changes in it; ``VOXGRAD_GOLDEN=DIR``
checks every model of a folder of the same form (one speaker, several, ``pe_scale`` 1).
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.reference.golden import FOLDERS, read
from voxgrad.acoustic_model import AcousticModel
from voxgrad.model import mas
from voxgrad.model.checkpoint import build_strict
from voxgrad.model.diffusion import Condition, ReverseDiffusion, length_mask, padded_length
from voxgrad.model.frame_prior import expand
from voxgrad.model.gradtts import GradTTS, Prior, predicted_durations
from voxgrad.samplers import euler, time_grid
from voxgrad.settings import AcousticSpec, MelSpec, ModelSpec, TextSpec
from voxgrad.steps.weights import export_weights
from voxgrad.store import Store
from voxgrad.training.losses import duration_loss, encoder_loss

CONFIGS = [config for folder in FOLDERS for config in sorted(folder.glob("gradtts_*.config.json"))]


class Golden:
    def __init__(self, config: Path) -> None:
        stem = config.name.removesuffix(".config.json")
        self.config = json.loads(config.read_text())
        self.spec = ModelSpec(**self.config)
        self.tensors = read(config.with_name(f"{stem}.tensors.safetensors"))
        self.weights = read(config.with_name(f"{stem}.weights.safetensors"))
        self.model = build_strict(lambda: GradTTS(self.spec), self.weights, stem).eval()

    def __getitem__(self, name: str) -> torch.Tensor:
        if name not in self.tensors:
            pytest.skip(f"{name} is not in the committed subset; set VOXGRAD_GOLDEN for all of them")
        return self.tensors[name]

    @property
    def speaker(self) -> torch.Tensor | None:
        return self.model.speaker(self.tensors.get("spk"))

    def condition(self) -> Condition:
        return Condition(self["mu"], self["y_mask"], None, self.speaker)


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda config: f"{config.parent.name}-{config.stem}")
def loaded(request):
    return Golden(request.param)


@pytest.fixture
def golden(loaded):
    with torch.inference_mode():
        yield loaded


def close(ours: torch.Tensor, theirs: torch.Tensor, share: float) -> None:
    """Within ``share`` of the tensor's largest magnitude."""
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= share * theirs.abs().max()


def test_exported_weights_are_what_the_official_class_takes(golden, tmp_path):
    spec = AcousticSpec(model=golden.spec, mel=MelSpec(), text=TextSpec(), speakers={"a": 0}, voice="a")
    store = Store.open(tmp_path / "home")
    with store.stage("base", "tiny") as staged:
        AcousticModel(golden.model, spec).write(staged.directory)
        made = staged.publish(fingerprint="0" * 64, settings={"acoustic": spec.model_dump()}, seed=0, licence="CC0-1.0")
    export_weights(made, tmp_path / "out")
    # Its arguments and its names of weights: then `load_state_dict` is strict there too.
    assert json.loads((tmp_path / "out" / "config.json").read_text())["official"] == golden.config
    exported = load_file(tmp_path / "out" / "model.safetensors")
    assert exported.keys() == golden.weights.keys()
    for name, value in exported.items():
        assert torch.equal(value, golden.weights[name]), name


def test_text_encoder(golden):
    prior = golden.model.encode(golden["x"], golden["x_lengths"], golden.tensors.get("spk"))
    close(prior.mu_x, golden["mu_x"], 1e-5)
    close(prior.logw[:, None], golden["logw"], 1e-5)
    assert torch.equal(prior.mask, golden["x_mask"])


def test_score(golden):
    ours = golden.condition().score(golden.model.decoder.estimator, golden["xt"], golden["t"])
    close(ours, golden["estimator"], 1e-5)


@pytest.mark.parametrize("steps", [4, 10])
def test_reverse_diffusion(golden, steps):
    ours = euler(ReverseDiffusion(golden.model.decoder, golden.condition()), golden["z"], time_grid(steps))
    close(ours, golden[f"reverse{steps}"], 1e-4)


def test_forward_diffusion_and_loss(golden):
    decoder, mask = golden.model.decoder, golden["y_mask"]
    x_t = decoder.diffuse(golden["y"], golden["mu"], golden["t"], golden["noise"]) * mask
    close(x_t, golden["forward_xt"], 1e-5)
    close(golden["noise"] * mask, golden["forward_z"], 1e-5)
    loss = decoder.loss(golden["y"], golden.condition(), golden["t"], golden["noise"])
    close(loss, golden["diffusion_loss"], 1e-5)


def test_alignment(golden):
    mu_x, y = golden["mu_x"], golden["y"]
    ours = mas.log_prior(mu_x, y)
    dropped = -0.5 * y.square().sum(1)[:, :, None] - 0.5 * np.log(2 * np.pi) * golden.spec.n_feats
    close((ours + dropped).transpose(1, 2), golden["log_prior"], 1e-5)
    durations = mas.search(ours, golden["x_lengths"], golden["y_lengths"])
    assert torch.equal(mas.path(durations, y.shape[2]), golden["mas_path"].float())
    close(expand(mu_x, durations, y.shape[2]), golden["mu_y"], 1e-5)


def test_losses(golden):
    prior = Prior(golden["mu_x"], golden["logw"][:, 0], golden["x_mask"], golden["mu_x"])
    durations = golden["mas_path"].sum(2)
    close(duration_loss(prior, durations), golden["duration_loss"], 1e-5)
    close(encoder_loss("gaussian", golden["mu_y"], golden["y"], golden["y_mask"]), golden["prior_loss"], 1e-5)


@pytest.mark.parametrize("scale", [1.0, 0.91])
def test_text_to_mel_without_noise(golden, scale):
    name = f"infer.ls{scale}"
    prior = golden.model.encode(golden["x"], golden["x_lengths"], golden.tensors.get("spk"))
    durations = predicted_durations(prior, scale, "official")
    lengths = durations.sum(1)
    frames = padded_length(int(lengths.max()))
    assert torch.equal(mas.path(durations, frames)[:, None], golden[f"{name}.attn"].float())
    mu_y = expand(prior.mu_x, durations, frames)
    # The official inference hands the whole padded batch to the network, without an extent.
    condition = Condition(mu_y, length_mask(lengths, frames), None, golden.speaker)
    process = ReverseDiffusion(golden.model.decoder, condition)
    mel = euler(process, mu_y, time_grid(5))[:, :, : int(lengths.max())]
    close(mu_y[:, :, : mel.shape[2]], golden[f"{name}.encoder_outputs"], 1e-4)
    close(mel, golden[f"{name}.decoder_outputs"], 1e-4)


MAS_FILES = [folder / "mas.safetensors" for folder in FOLDERS]


@pytest.mark.parametrize("file", MAS_FILES, ids=lambda file: file.parent.name)
def test_monotonic_alignment_search(file):
    tensors = read(file)
    cases = sorted({name.split(".")[0] for name in tensors})
    assert cases
    for case in cases:
        value = tensors[f"{case}.value"].transpose(1, 2)
        durations = mas.search(value, tensors[f"{case}.x_lengths"], tensors[f"{case}.y_lengths"])
        assert torch.equal(mas.path(durations, value.shape[1]), tensors[f"{case}.path"].float()), case


OFFICIAL = {"gradtts_ljspeech": ModelSpec(), "gradtts_libritts": ModelSpec(n_spks=247)}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_official_names_and_shapes_load_strictly(folder):
    shapes = json.loads((folder / "official_state_dict_shapes.json").read_text())
    found = [name for name in shapes if name.startswith("gradtts")]
    assert found
    for name in found:
        with torch.device("meta"):
            model = GradTTS(next(spec for key, spec in OFFICIAL.items() if name.startswith(key)))
        ours = {key: list(tensor.shape) for key, tensor in model.state_dict().items()}
        assert ours == shapes[name], name
