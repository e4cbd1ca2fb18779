"""A home with a voice that was never trained, for nothing here depends on how well it speaks."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import voxgrad
from voxgrad.acoustic_model import AcousticModel
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import AcousticSpec, MelSpec, ModelSpec, TextSpec
from voxgrad.store import Artifact, Store, fingerprint
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.registry import save
from voxgrad.voice.torch_engine import TorchEngine
from voxgrad.voice.voice import Voice
from voxgrad.weights import InLanguage

MODEL = ModelSpec(
    n_enc_channels=16, filter_channels=32, filter_channels_dp=16, n_enc_layers=1, dec_dim=8, spk_emb_dim=8
)
CONSENT = "Robot agreed — on 1 May."


_ENGINES: dict[tuple[object, ...], TorchEngine] = {}


@pytest.fixture(scope="module", autouse=True)
def engines_loaded_once() -> Iterator[None]:
    """Loads each voice with its vocoder once: that is half of what it takes to say a few words."""
    load = TorchEngine.load.__func__

    def once(
        cls: type[TorchEngine], voice: Artifact, vocoder: Artifact | None, language: InLanguage | None = None
    ) -> TorchEngine:
        taught = None if language is None else (language[0].digest, language[1])
        key = voice.digest, None if vocoder is None else vocoder.digest, taught
        if key not in _ENGINES:
            _ENGINES[key] = load(cls, voice, vocoder, language)
        return _ENGINES[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TorchEngine, "load", classmethod(once))
        yield


@pytest.fixture(scope="session")
def robots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a voice robot, a base robots and a vocoder quick. For reading only."""
    home = tmp_path_factory.mktemp("robots") / "home"
    # About three frames a token, so that there is room for speed.
    spec = AcousticSpec(
        model=MODEL, mel=MelSpec(), text=TextSpec(), speakers={"robot": 0}, voice="robot", duration_scale=3.0
    )
    for seed, (kind, name) in enumerate((("voice", "robot"), ("base", "robots"))):
        torch.manual_seed(seed)
        with Store(home).stage(kind, name) as staged:
            AcousticModel(GradTTS(MODEL), spec).write(staged.directory)
            staged.publish(
                fingerprint=fingerprint("test", 1, {"name": name}, {}, {}),
                settings={"acoustic": spec.model_dump()},
                consent=CONSENT,
            )
    with Store(home).stage("vocoder", "quick") as staged:
        save(GriffinLim(GriffinLimSpec(n_iter=1), MelSpec()), staged.directory)
        staged.publish(fingerprint=fingerprint("test", 1, {"name": "quick"}, {}, {}), settings={})
    return home


@pytest.fixture(scope="session")
def english(tmp_path_factory: pytest.TempPathFactory) -> Voice:
    """The included base with an included vocoder."""
    return voxgrad.load("base/english", vocoder="vocoder/kathleen", home=tmp_path_factory.mktemp("home"))


@pytest.fixture
def furnished(robots: Path, tmp_path: Path, command: Callable[..., object]) -> Store:
    """A copy of that home that a test may change; ``command`` works in it."""
    shutil.copytree(robots, tmp_path / "home", dirs_exist_ok=True)
    return Store.open(tmp_path / "home")
