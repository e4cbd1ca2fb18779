"""A small base and a small feed-forward vocoder in a store, and graphs made of them once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from voxgrad.acoustic_model import AcousticModel
from voxgrad.events import ignore
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import AcousticSpec, MelSpec, ModelSpec, OnnxSpec, SourceFilterSpec, TextSpec
from voxgrad.store import Artifact, Store
from voxgrad.text.symbols import ENGLISH, VOCABULARY_SIZE
from voxgrad.vocoder.registry import save
from voxgrad.vocoder.source_filter import SourceFilterVocoder

SMALL = {
    "n_vocab": VOCABULARY_SIZE,
    "n_spks": 3,
    "spk_emb_dim": 8,
    "n_enc_channels": 32,
    "filter_channels": 256,
    "filter_channels_dp": 32,
    "n_enc_layers": 1,
    "decoder": "convnext",
    "condition_encoder": True,
    "frame_channels": 80,
    "pitch_blocks": 1,
    "frame_blocks": 1,
    "score_channels": 80,
    "score_blocks": 1,
    "temperature": 0.5,
}


def _acoustic(**changes) -> AcousticModel:
    """Random weights, of which none is zero: what is zero would hide faults."""
    torch.manual_seed(0)
    model = ModelSpec(**{**SMALL, **changes})
    speakers = {f"s{row}": row for row in range(model.n_spks)}
    spec = AcousticSpec(model=model, mel=MelSpec(), text=TextSpec(), speakers=speakers, voice="s0", duration_scale=1.07)
    network = GradTTS(model).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02)
        if network.frame_prior is not None:
            network.frame_prior.detail_gains.uniform_(0.8, 2.0)
        network.encoder.proj_w.proj.bias.fill_(0.9)
        network.encoder.proj_m.bias.fill_(-4.0)
    return AcousticModel(network, spec)


def _vocoder() -> SourceFilterVocoder:
    torch.manual_seed(1)
    sizes = SourceFilterSpec(
        channels=32, blocks=1, pitch_channels=16, pitch_blocks=1, pitch_bins=32, iterations=1, revise_mel=True
    )
    vocoder = SourceFilterVocoder.build(sizes, MelSpec())
    revision = vocoder.network.filter.revision
    assert revision is not None
    torch.nn.init.normal_(revision.bias, std=0.3)
    return vocoder


@pytest.fixture(scope="session")
def acoustic() -> Callable[..., AcousticModel]:
    """Makes a small acoustic model; settings may differ from `SMALL`."""
    return _acoustic


@pytest.fixture
def vocoder() -> SourceFilterVocoder:
    return _vocoder()


@pytest.fixture(scope="session")
def onnx_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for reading only: the base ``small``, the vocoder ``pulses``, and what they were exported as, ``carried``.

    The graphs of their architectures are there too, of float32, so that ONNX Runtime says what torch says.
    """
    from voxgrad.onnx.external import write_graphs
    from voxgrad.steps.onnx import export_onnx, import_onnx

    folder = tmp_path_factory.mktemp("onnx")
    store, small = Store.open(folder / "home"), _acoustic()
    with store.stage("base", "small") as staged:
        small.write(staged.directory)
        base = staged.publish(
            fingerprint="0" * 64, settings={"acoustic": small.spec.model_dump()}, licence="CC0-1.0", consent="mine"
        )
    with store.stage("vocoder", "pulses") as staged:
        save(_vocoder(), staged.directory)
        staged.publish(fingerprint="1" * 64, settings={})
    write_graphs(store.home, small, _vocoder(), "none")
    export_onnx(store, base, "pulses", ENGLISH, folder / "small.onnx", OnnxSpec(), ignore)
    import_onnx(store, folder / "small.onnx", name="carried", trust=False)
    return store.home


@pytest.fixture(scope="session")
def graph(onnx_home: Path) -> Artifact:
    """The exported graph, of two steps, unquantised."""
    return Store.open(onnx_home).find("onnx/carried")


@pytest.fixture
def own(onnx_home: Path, tmp_path: Path, command: Callable) -> Store:
    """A copy of that home which a test may change; ``command`` works in it."""
    shutil.copytree(onnx_home, tmp_path / "home", dirs_exist_ok=True)
    return Store.open(tmp_path / "home")
