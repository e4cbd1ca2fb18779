"""Graphs that speak another language than English."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch

from tests.onnx.test_engines import PAGE
from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.onnx.export import with_metadata
from voxgrad.onnx.file import DESCRIPTION, described
from voxgrad.packing import WEIGHTS
from voxgrad.store import Store
from voxgrad.text import espeak
from voxgrad.text.ipa import IPA_IDS, language_blank
from voxgrad.text.languages import languages
from voxgrad.text.symbols import BLANK
from voxgrad.training.dataset import Corpus
from voxgrad.training.languages import extended, write_language
from voxgrad.voice.engine import OnnxEngine
from voxgrad.voice.load import load_voice


@pytest.fixture
def taught(own: Store) -> Store:
    """The base ``small`` was taught Spanish and German, in which ``eva`` learnt from recordings."""
    base = own.find("base/small")
    acoustic, corpus = load_acoustic_model(base), Corpus((), own.home, ("sol",))
    learner = extended(acoustic, corpus)
    with torch.no_grad():
        learner.model.encoder.emb.weight[language_blank(0)] += 1
    with own.stage("language", "some") as staged:
        learnt, _ = write_language(learner, staged.directory, base=base, corpus=corpus)
        settings = {"acoustic": learnt.model_dump(), "languages": ["es", "de"], "voices": {"es": "sol", "de": "s1"}}
        language = staged.publish(fingerprint="2" * 64, settings=settings, parents={"base": base})
    with own.stage("voice", "eva") as staged:
        (staged.directory / WEIGHTS).write_bytes(base.path(WEIGHTS).read_bytes())
        spec = acoustic.spec.model_dump()
        settings = {"acoustic": {**spec, "text": {**spec["text"], "language": "de"}}}
        parents = {"base": base, "language": language}
        staged.publish(fingerprint="3" * 64, settings=settings, parents=parents, consent="mine")
    return own


def export(done, ref: str, *options: str) -> dict:
    return json.loads(done("export", ref, "--vocoder", "pulses", "--format", "onnx", *options, "--json").out)


def test_a_graph_speaks_the_language_that_it_was_exported_in(taught, done, refused):
    told = export(done, "small", "--language", "es-MX")
    assert (told["file"], told["language"], told["against_torch"]["same_durations"]) == ("small-es-v1.onnx", "es", 1)
    description, _ = described(Path("small-es-v1.onnx").read_bytes())
    assert (description.acoustic.text.language, description.acoustic.voice) == ("es", "sol")
    assert description.lineage["language"]["digest"] == taught.find("language/some").digest
    imported = done("import", "small-es-v1.onnx")
    assert 'next: voxgrad say "Hola" --voice onnx/small-es@v1' in imported.err
    assert "es (Spanish)" in done("show", "onnx/small-es").out
    plain = ("--steps", "2", "-q")
    done("say", "Hola, ¿qué tal?", "--voice", "onnx/small-es", "-o", "graph.wav", *plain)
    torch_says = ("--voice", "small", "--vocoder", "pulses", "--engine", "torch", "--precision", "float32", *plain)
    done("say", "Hola, ¿qué tal?", "--language", "es", *torch_says, "-o", "torch.wav")
    by_graph, by_torch = (soundfile.read(f"{engine}.wav")[0] for engine in ("graph", "torch"))
    assert len(by_graph) == len(by_torch)
    assert np.sqrt(np.square(by_graph - by_torch).mean()) < 1e-3
    complaint = refused("say", "Hallo.", "--voice", "onnx/small-es", "--language", "de")
    assert "small-es@v1 does not speak German. It speaks es (Spanish). Export small@v1 with --language de." in complaint
    mixed = '<speak>Hola <lang xml:lang="en">friend</lang>.</speak>'
    warned = done("say", mixed, "--voice", "onnx/small-es", "-o", "mixed.wav", *plain)
    assert "does not speak English: it is read as the text around it" in warned.err


def test_a_voice_is_exported_in_its_own_language_or_another(taught, done):
    for options, language, name in (((), "de", "eva"), (("--language", "en"), "en", "eva-en")):
        assert export(done, "eva", "-o", "eva.onnx", *options)["language"] == language
        description, _ = described(Path("eva.onnx").read_bytes())
        assert (description.acoustic.text.language, description.name) == (language, name)
        done("import", "eva.onnx", "-q")
    assert load_voice(taught, "onnx/eva").spoken == ("de",)
    english = load_voice(taught, "onnx/eva-en")
    assert isinstance(english.engine, OnnxEngine)
    assert english.spoken == ("en",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "onnx", "--language", "xx"), "there is no language 'xx'"),
        (("--format", "onnx", "--language", "pl"), "small@v1 does not speak Polish. It speaks en (English), es (Sp"),
        (("--for", "sherpa-onnx", "--language", "es"), "sherpa-onnx reads words by a lexicon"),
        (("--language", "es"), "--language works only for graphs"),
    ],
)
def test_what_cannot_be_exported(taught, refused, arguments, message):
    assert message in refused("export", "small", *arguments)


def test_a_graph_is_not_exported_in_another_language(taught, refused):
    assert "carried@v1 does not speak Spanish" in refused(
        "export", "onnx/carried", "--format", "onnx", "--language", "es"
    )


def test_only_speaking_needs_espeak(taught, done, refused, monkeypatch):
    monkeypatch.setattr(espeak, "is_installed", lambda: False)
    espeak._library.cache_clear()
    espeak.transcribe.cache_clear()
    export(done, "small", "-o", "es.onnx", "--language", "es")
    done("import", "es.onnx", "-q")
    assert "pip install 'voxgrad[languages]'" in refused("say", "Hola.", "--voice", "onnx/small-es", "-o", "a.wav")


def test_a_folder_has_phones_and_says_who_reads(taught, done):
    done("lexicon", "add", "es:Xàtiva", "/ˈʃativa/", "-q")
    export(done, "small", "-o", "folder", "--language", "de")
    assert {path.name for path in Path("folder").iterdir()} == {"model.onnx", "tokens.txt", "config.json"}
    assert "onnx small-de@v1" in done("import", "folder").out
    config = json.loads(Path("folder/config.json").read_text())
    german = languages()["de"]
    assert (config["language"], config["blank"]) == ("de", language_blank(german.number))
    assert config["espeak"] == {"voice": "de", "phones": german.phones}
    table = dict(line.rsplit(" ", 1) for line in Path("folder/tokens.txt").read_text("utf-8").splitlines())
    assert table["ˈøː"] == str(IPA_IDS["ˈøː"])
    example, read = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[:2]
    example = re.sub(r"words = .*(?=tokens = np)", read, example, flags=re.DOTALL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [sys.executable, "-c", example, "folder", "Schöne Grüße!"], check=True, env={**os.environ, "PATH": path}
    )
    assert len(soundfile.read("hello.wav")[0]) > 4000
    export(done, "small", "-o", "english")
    config = json.loads(Path("english/config.json").read_text())
    assert (config["language"], config["espeak"], config["blank"]) == ("en", None, BLANK)
    assert "es:" not in Path("english/lexicon.txt").read_text("utf-8")


def test_a_language_of_a_later_version_is_not_imported(graph, own, refused):
    model = onnx.load(graph.path("model.onnx"))
    told = json.loads(next(entry.value for entry in model.metadata_props if entry.key == DESCRIPTION))
    assert "language" not in told["acoustic"]["text"]  # as in files from before there were languages
    told["acoustic"]["text"]["language"] = "xx"
    Path("later.onnx").write_bytes(with_metadata(model, {DESCRIPTION: json.dumps(told)}))
    assert "later.onnx speaks 'xx', which this version cannot read. Upgrade voxgrad." in refused("import", "later.onnx")
