"""The networks of a voice in ONNX Runtime against those of torch."""

import numpy as np
import pytest
import torch

import voxgrad
from voxgrad.errors import IntegrityError
from voxgrad.model.gradtts import TokenProsody
from voxgrad.onnx import networks
from voxgrad.onnx.external import write_graphs
from voxgrad.onnx.networks import Networks
from voxgrad.packing import WEIGHTS
from voxgrad.settings import SynthesisSpec
from voxgrad.store import Store
from voxgrad.voice import load
from voxgrad.voice.torch_engine import TorchEngine

TOKENS = list(range(40))


@pytest.fixture
def engines(onnx_home, monkeypatch):
    monkeypatch.setattr(load, "QUANTIZE", "none")
    store = Store.open(onnx_home)
    voices = (load.load_voice(store, "base/small", "pulses", engine=name) for name in ("onnx", "torch"))
    return [voice.engine for voice in voices]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sampler": "ml", "steps": 3, "temperature": 0.9},
        {"sampler": "euler", "steps": 2, "start": "zero", "grid": 0.5, "postfilter": 0.0},
        {"speaker": "s2", "speed": 0.7, "pitch_range": 1.6, "steps": 1},
    ],
    ids=str,
)
def test_every_setting_is_that_of_torch(engines, settings):
    synthesis = SynthesisSpec(precision="float32", **settings)
    by_onnx, by_torch = (engine.run(TOKENS, synthesis, 3, None) for engine in engines)
    assert by_onnx.durations == by_torch.durations
    assert np.abs(by_onnx.mel - by_torch.mel).max() < 1e-3
    assert np.sqrt(np.square(by_onnx.samples - by_torch.samples).mean()) < 1e-3


def test_words_change_as_by_torch(engines):
    by_onnx, by_torch = engines
    rate, semitones, rise = np.ones(40, np.float32), np.zeros(40, np.float32), np.zeros(40, np.float32)
    rate[20:], semitones[:10], rise[30:] = 0.5, 4, 1
    assert isinstance(by_torch, TorchEngine)
    assert isinstance(by_onnx.network, Networks)
    changed = by_onnx.network.speak(TOKENS, SynthesisSpec(), 0, 0, rate, semitones, rise)
    asked = TokenProsody(*map(torch.from_numpy, (rate, semitones, rise)))
    mel, durations = by_torch.mel(TOKENS, SynthesisSpec(precision="float32"), torch.Generator().manual_seed(0), asked)
    assert changed.durations == durations
    assert np.abs(changed.mel - mel.numpy()).max() < 1e-3


@pytest.mark.parametrize("length", [1, 2, 30, 200])
def test_any_length_is_spoken(engines, length):
    output = engines[0].run([number % 140 for number in range(length)], SynthesisSpec(), 0, None)
    assert len(output.durations) == length
    assert output.mel.shape == (80, sum(output.durations))
    assert len(output.samples) == 256 * sum(output.durations)
    assert np.isfinite(output.samples).all()


def test_a_voice_of_one_speaker_and_integers(acoustic, vocoder, tmp_path):
    store, model = Store.open(tmp_path), acoustic(n_spks=1)
    with store.stage("base", "one") as staged:
        model.write(staged.directory)
        staged.publish(fingerprint="0" * 64, settings={"acoustic": model.spec.model_dump()})
    with store.stage("vocoder", "pulses") as staged:
        from voxgrad.vocoder.registry import save

        save(vocoder, staged.directory)
        staged.publish(fingerprint="1" * 64, settings={})
    write_graphs(store.home, model, vocoder, "int8")
    by_onnx, by_torch = (load.load_voice(store, "base/one", "pulses", engine=name).engine for name in ("onnx", "torch"))
    one, other = (engine.run(TOKENS, SynthesisSpec(precision="float32"), 0, None) for engine in (by_onnx, by_torch))
    assert abs(len(one.samples) - len(other.samples)) <= 4 * 256
    if one.durations == other.durations:
        assert np.abs(one.mel - other.mel).mean() < 0.1


def test_the_package_has_the_graphs_of_its_base(tmp_path):
    """If this fails, run tests/dist/build_graphs.py."""
    for engine in ("onnx", "torch"):
        voice = voxgrad.load("base/english", home=tmp_path, engine=engine)
        speech = voice.say("The birch canoe slid on the smooth planks.", precision="float32")
        assert speech.recipe.engine == engine
        frames = sum(map(sum, speech.durations))
        heard = np.square(speech.samples).mean()
        if engine == "onnx":
            wanted = frames, heard
    assert frames == pytest.approx(wanted[0], rel=0.02)
    assert heard == pytest.approx(wanted[1], rel=0.1)
    assert sum(path.stat().st_size for path in networks.EMBEDDED.iterdir()) < 2e6


def test_other_weights_and_damaged_graphs_are_refused(onnx_home, tmp_path):
    store = Store.open(onnx_home)
    base, english = (networks.Weights(store.find(f"base/{name}").path(WEIGHTS)) for name in ("small", "english"))
    embedded, made = (next(folder.glob("score-*")) for folder in (networks.EMBEDDED, onnx_home / "graphs"))
    with pytest.raises(IntegrityError, match="has no weights"):
        networks.load_network(embedded, base, 1)
    with pytest.raises(IntegrityError, match="do not fit"):
        networks.load_network(made, english, 1)
    for number, content in enumerate((b"nothing", made.read_bytes()[:-300])):
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(content)
        with pytest.raises(IntegrityError, match="damaged") as caught:
            networks.load_network(path, base, 1)
        assert caught.value.hint == f"Delete {path}."
