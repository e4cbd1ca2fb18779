"""`say` and its kin through ONNX Runtime."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import voxgrad
from voxgrad.audio.writers import read_comment
from voxgrad.errors import BadInputError
from voxgrad.onnx.runtime import MODEL
from voxgrad.settings import SynthesisSpec
from voxgrad.voice import load
from voxgrad.voice.engine import OnnxEngine
from voxgrad.voice.metadata import read_recipe
from voxgrad.voice.torch_engine import TorchEngine

PAGE = Path(__file__).parents[2] / "docs" / "anywhere.md"
TEXT = "Rain fell all day. Two dogs ran home."
SMALL = ("--voice", "small", "--vocoder", "pulses", "--steps", "2", "-q")


@pytest.fixture(autouse=True)
def unquantised(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that `say` finds the graphs of the fixture, and says what torch says."""
    monkeypatch.setattr(load, "QUANTIZE", "none")


def samples(path: str) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0]


def test_both_engines_say_the_same(own, command, done):
    text = (
        '<speak>Rain <prosody rate="slow" pitch="+3st">fell all</prosody> day.<break time="200ms"/> '
        '<voice name="s2">Two dogs.</voice></speak>'
    )
    for engine in ("onnx", "torch"):
        options = ("--engine", engine, "--precision", "float32", "-o", f"{engine}.wav")
        done("say", text, *SMALL, *options)
        assert read_recipe(read_comment(Path(f"{engine}.wav")), f"{engine}.wav").engine == engine
    by_onnx, by_torch = samples("onnx.wav"), samples("torch.wav")
    assert abs(len(by_onnx) - len(by_torch)) < 2
    size = min(len(by_onnx), len(by_torch))
    assert np.sqrt(np.square(by_onnx[:size] - by_torch[:size]).mean()) < 1e-3
    replayed = command("--json", "replay", "onnx.wav", "-o", "again.wav")
    assert json.loads(replayed.out)["identical"] is True, replayed.err


def test_graphs_that_are_there_are_used_by_themselves(own):
    speech = voxgrad.load("small", vocoder="pulses", home=own.home).say("Hello.")
    assert (speech.recipe.engine, speech.recipe.quantize) == ("onnx", "none")
    assert isinstance(loaded(own, "auto", steps=3, sampler="sde").engine, OnnxEngine)
    assert isinstance(loaded(own, "torch").engine, TorchEngine)
    assert isinstance(loaded(own, "auto", durations="official").engine, TorchEngine)
    assert isinstance(loaded(own, "auto", precision="float32").engine, TorchEngine)
    shutil.rmtree(own.home / "graphs")
    assert isinstance(loaded(own, "auto").engine, TorchEngine)


def loaded(store, engine, **settings):
    return load.load_voice(store, "small", "pulses", engine=engine, synthesis=SynthesisSpec(**settings))


def test_graphs_are_made_where_they_are_asked_for(own, done, command):
    done("say", TEXT, *SMALL, "-o", "a.wav")
    shutil.rmtree(own.home / "graphs")
    made = done("replay", "a.wav", "-o", "b.wav", "--json")
    assert json.loads(made.out)["identical"] is True
    assert "this happens once" in made.err
    assert {path.name.partition("-")[0] for path in (own.home / "graphs").iterdir()} == {
        "prior",
        "score",
        "source_filter",
    }


def test_an_exported_graph_outlives_its_voice(own, done):
    done("rm", "base/small", "-q")
    done("say", "hello", "--voice", "onnx/carried", "-o", "a.wav", "-q")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--durations", "official"], "durations=official"),
        (["--precision", "bfloat16"], "bfloat16"),
        (["--vocoder", "griffinlim"], "estimates phases"),
        (["--vocoder", "kathleen"], "estimates phases"),
    ],
)
def test_what_a_graph_cannot_do_is_refused(own, refused, options, complaint):
    assert complaint in refused("say", "hello", "--voice", "small", "--engine", "onnx", *options)


def test_an_imported_graph_speaks(own, refused, graph, done):
    agreement = json.loads(
        done("export", "small", "--vocoder", "pulses", "--format", "onnx", "-o", "small.onnx", "--json").out
    )["against_torch"]
    assert agreement["same_durations"] == 1
    assert max(agreement["mel_largest"], agreement["audio_rms"]) < 1e-3
    assert Path("small.onnx").read_bytes() == graph.path(MODEL).read_bytes()
    done("say", "hello", "--voice", "carried", "-o", "hello.wav", "-q")
    recipe = read_recipe(read_comment(Path("hello.wav")), "hello.wav")
    assert recipe.engine == "onnx"
    assert recipe.voice.digest == own.find("base/small").digest
    assert recipe.graph.digest == graph.digest
    assert json.loads(done("replay", "hello.wav", "-o", "again.wav", "--json").out)["identical"] is True
    assert "cannot speak with start=zero" in refused("say", "hello", "--voice", "carried", "--start", "zero")
    assert "does not speak Spanish" in refused("say", "hola", "--voice", "carried", "--language", "es")
    done("say", "hello", "--voice", "carried", "--language", "en-GB", "-o", "english.wav", "-q")
    assert "the graph has 2 steps" in refused("say", "hello", "--voice", "carried", "--steps", "5")
    assert "with its own vocoder" in refused("say", "hello", "--voice", "carried", "--vocoder", "pulses")
    assert "which torch cannot use" in refused("say", "hello", "--voice", "carried", "--engine", "torch")
    content = bytearray(Path("small.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    Path("bad.onnx").write_bytes(content)
    assert "--trust" in refused("import", "bad.onnx")
    done("import", "bad.onnx", "--name", "bad", "--trust", "-q")
    assert "Leave out --kind" in refused("import", "small.onnx", "--kind", "base")


def test_a_damaged_graph_does_not_speak(own, done):
    for ref, name in (("onnx/carried", MODEL), ("base/small", "weights.safetensors")):
        path = own.find(ref).directory / name
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
        done("say", "hello", "--voice", ref, "-o", "a.wav", code=3)


def test_folders_for_other_programs(own, done, refused):
    done("export", "small", "--vocoder", "pulses", "--format", "onnx", "-o", "folder", "-q")
    assert {path.name for path in Path("folder").iterdir()} == {
        "model.onnx",
        "tokens.txt",
        "lexicon.txt",
        "config.json",
    }
    config = json.loads(Path("folder/config.json").read_text())
    assert config["licence"] == "CC0-1.0"
    assert config["speaker"] == 0
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert len(example.splitlines()) <= 25
    subprocess.run([sys.executable, "-c", example, "folder", "Hello there, friend."], check=True)
    assert len(samples("hello.wav")) > 4000
    lexicon = dict(line.split(" ", 1) for line in Path("folder/lexicon.txt").read_text().splitlines())
    assert lexicon["hello"] == "HH AH0 L OW1"
    assert "already exists" in refused("export", "small", "--vocoder", "pulses", "--format", "onnx", "-o", "folder")
    assert "works only for graphs" in refused("export", "small", "--steps", "3")
    assert "--with-parents" in refused("export", "small", "--format", "onnx", "--with-parents")
    assert "--format" in refused("export", "small", "--for", "sherpa-onnx", "--format", "onnx")


@pytest.mark.slow
def test_sherpa_onnx_speaks(own, command):
    sherpa = pytest.importorskip("sherpa_onnx", reason="sherpa-onnx is not installed")
    outcome = command(
        "export", "small", "--vocoder", "pulses", "--for", "sherpa-onnx", "-o", "sherpa", "--speaker", "s1"
    )
    assert outcome.code == 0, outcome.err
    vits = sherpa.OfflineTtsVitsModelConfig(
        model="sherpa/model.onnx", lexicon="sherpa/lexicon.txt", tokens="sherpa/tokens.txt"
    )
    speaker = sherpa.OfflineTts(sherpa.OfflineTtsConfig(model=sherpa.OfflineTtsModelConfig(vits=vits)))
    audio = speaker.generate("Hello there, friend.")
    assert audio.sample_rate == 22050
    assert len(audio.samples) > 4000
    assert np.isfinite(audio.samples).all()


def test_speech_dispatcher_gets_a_module(own, done):
    outcome = done("export", "small", "--for", "speech-dispatcher")
    assert "GenericExecuteSynth" in outcome.out
    assert f"--home {own.home}" in outcome.out
    assert "base/small@v1" in outcome.out


def test_weights_come_back_from_a_folder(own, done, refused):
    done("export", "small", "--format", "safetensors", "-o", "weights", "-q")
    done("import", "weights", "--name", "again", "-q")
    one, other = own.find("base/small"), own.find("base/again")
    assert one.path("weights.safetensors").read_bytes() == other.path("weights.safetensors").read_bytes()
    assert (other.manifest.licence, other.manifest.consent) == ("CC0-1.0", "mine")
    Path("weights/config.json").write_text("{}")
    assert "does not describe the model" in refused("import", "weights")
    Path("weights/model.safetensors").write_bytes(b"nothing")
    assert "no weights that can be read" in refused("import", "weights")


def test_speaking_needs_no_torch(own, tmp_path):
    """With torch and all other packages of training out of reach, as in the small install."""
    code = (
        "import json, sys\n"
        "for name in ('torch', 'torchaudio', 'numba', 'scipy', 'parselmouth', 'joblib',"
        " 'jinja2', 'onnx', 'PIL', 'webvtt', 'av'):\n"
        "    sys.modules[name] = None\n"
        "from voxgrad.voice import load\n"
        "load.QUANTIZE = 'none'\n"
        "from voxgrad.cli.main import main\n"
        "sys.exit(str([main(command) for command in json.loads(sys.argv[1])]))\n"
    )
    commands = (
        ("say", "hello", "--voice", "small", "-o", "hello.wav", "-q"),
        ("replay", "hello.wav", "-o", "again.wav", "-q"),
        ("g2p", "hello"),
        ("info", "hello.wav"),
        ("vocode", "hello.wav", "-o", "x.wav"),
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(commands)],
        env={**os.environ, "VOXGRAD_HOME": str(own.home)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    complaint, codes = done.stderr.splitlines()[-2:]
    assert codes == "[0, 0, 0, 0, 2]", done.stderr
    assert "which is not installed" in complaint


def test_no_engine_without_its_package(own, monkeypatch):
    monkeypatch.setattr(load, "find_spec", lambda name: None)
    with pytest.raises(BadInputError, match="needs torch"):
        loaded(own, "torch")
