"""A base that is taught languages, and what speaks them, is cloned in them and is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.audio.mel import mel_filters
from voxgrad.cli.main import main
from voxgrad.model.frame_prior import harmonic_table
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import AcousticSpec, MelSpec, ModelSpec, TextSpec
from voxgrad.store import Store, fingerprint
from voxgrad.text.ipa import IPA_IDS, IPA_VOCABULARY_SIZE
from voxgrad.text.symbols import PHONE_IDS, VOCABULARY_SIZE
from voxgrad.training.dataset import Corpus, Dataset
from voxgrad.training.languages import balanced, extended
from voxgrad.weights import languages_of, weights_of

SMALL = ModelSpec(
    n_spks=3,
    spk_emb_dim=8,
    n_enc_channels=32,
    filter_channels=256,
    filter_channels_dp=32,
    n_enc_layers=1,
    decoder="convnext",
    condition_encoder=True,
    frame_channels=80,
    pitch_blocks=1,
    frame_blocks=1,
    score_channels=80,
    score_blocks=1,
)
TEXTS = {"a": "El sol es cálido.", "b": "Un perro corre.", "c": "La casa es grande.", "d": "Llueve mucho."}
STEPS = (
    *("--preset", "languages", "--set", "held_out=0.3", "--set", "stages.0.steps=2", "--set", "stages.0.batch_size=2"),
    *("--set", "stages.1.steps=2", "--set", "stages.1.batch_size=2", "--set", "stages.1.crop=32"),
)


def acoustic() -> AcousticModel:
    torch.manual_seed(0)
    model = GradTTS(SMALL)
    filters = mel_filters(MelSpec(), torch.device("cpu"), torch.float32)
    model.frame_prior.harmonics.copy_(harmonic_table(MelSpec(), filters))
    spec = AcousticSpec(
        model=SMALL, mel=MelSpec(), text=TextSpec(), speakers={"s0": 0, "s1": 1, "s2": 2}, voice="s0", duration_scale=3
    )
    return AcousticModel(model, spec)


@pytest.fixture(scope="module")
def school(shared, record, synthetic) -> Path:
    """A home with a small base, two languages of it, and a dataset of each; and the recordings. For reading only."""

    def make(place: Path) -> None:
        home = ("--home", place / "home", "-q")
        with Store(place / "home").stage("base", "small") as staged:
            made = acoustic()
            made.write(staged.directory)
            settings = {"acoustic": made.spec.model_dump()}
            staged.publish(fingerprint=fingerprint("test", 1, {}, {}, {}), settings=settings, consent="x")
        commands = []
        for code, f0 in (("es", 110.0), ("it", 180.0)):
            folder = place / code
            record(folder, TEXTS, f0, seconds_of="The sun is very warm today, and it rains.")
            for name, text in TEXTS.items():
                (folder / f"{name}.txt").write_text(text, encoding="utf-8")
            options = ("--language", code, "--base", "none", "--keep-all", "--licence", f"free in {code}", *synthetic)
            commands.append(("prepare", folder, *options))
        commands.append(("pretrain", "--base", "base/small", "--data", "es,it", "--name", "two", *STEPS))
        for command in commands:
            assert main([str(argument) for argument in (*command, *home)]) == 0, command

    return shared("school", make)


@pytest.fixture
def taught(school, tmp_path, command) -> Store:
    """A copy of that home that a test may change; ``command`` works in it."""
    shutil.copytree(school, tmp_path, dirs_exist_ok=True)
    return Store.open(tmp_path / "home")


def test_a_base_speaks_what_it_was_taught_and_english_as_before(taught, done, tmp_path):
    base, language = taught.find("base/small"), taught.find("language/two")
    assert language.manifest.settings["languages"] == ["es", "it"]
    assert language.manifest.licence == "free in es; free in it"
    assert {*languages_of(base, taught)} == {"es", "it"}
    english, spanish = weights_of(base), weights_of(base, (language, "es"))
    assert {*english} == {*spanish}
    grown = {name for name in english if spanish.floats(name).shape != english.floats(name).shape}
    tables = {"spk_emb.weight", "frame_prior.pitch_statistics", "frame_prior.detail_gains"}
    assert grown == {"encoder.emb.weight", *tables}
    speaking = ("--voice", "base/small", "--vocoder", "griffinlim", "-q")
    done("say", "Hello there.", "-o", "before.wav", *speaking)
    done("say", "El sol es cálido.", "--language", "es-MX", "-o", "es.wav", *speaking)
    timings = ("--timings", "json")
    done("say", '<speak>Hello. <lang xml:lang="it">Ciao.</lang></speak>', "-o", "both.wav", *speaking, *timings)
    assert [part["words"][0]["word"] for part in json.loads(Path("both.json").read_text())] == ["hello", "Ciao"]


def test_a_clone_in_one_language_speaks_all(taught, done, tmp_path):
    small = ("--set", "stages.0.steps=2", "--set", "stages.0.batch_size=2", "--set", "stages.1.steps=2")
    done("finetune", "--data", "es", "--base", "base/small", "--no-card", "--preset", "tiny", *small, "-q")
    voice = taught.find("voice/es")
    assert voice.manifest.settings["acoustic"]["text"]["language"] == "es"
    assert voice.manifest.settings["acoustic"]["model"]["n_vocab"] == VOCABULARY_SIZE
    base, language = taught.find("base/small"), taught.find("language/two")
    # What it learnt of reading is the same in every language, and what makes its sound is its own in all.
    for name in ("encoder.proj_w.conv_1.weight", "frame_prior.pitch_output.weight", "decoder.estimator.output.weight"):
        of_voice = weights_of(voice, (language, "es")).floats(name) - weights_of(voice).floats(name)
        of_base = weights_of(base, (language, "es")).floats(name) - weights_of(base).floats(name)
        assert of_base.any()
        np.testing.assert_allclose(of_voice, 0 if name.startswith("decoder") else of_base, atol=1e-5)
    # Where nobody heard the person, the speaker is the one of the base that the voice began as.
    row = voice.manifest.settings["acoustic"]["speakers"][voice.manifest.settings["acoustic"]["voice"]]
    of_voice, of_base = (
        [weights_of(made, (language, code)).floats("spk_emb.weight")[row] for code in ("es", "it")]
        for made in (voice, base)
    )
    assert not np.array_equal(of_voice[0], of_base[0])
    assert np.array_equal(of_voice[1], of_base[1])
    speaking = ("--voice", "es", "--vocoder", "griffinlim", "-q")
    done("say", "El sol es cálido.", "-o", "own.wav", *speaking)
    done("say", "The sun is warm.", "--language", "en", "-o", "english.wav", *speaking)
    done("prepare", tmp_path / "es", "--name", "again", "--language", "es", "--base", "base/small", "-q")
    assert taught.find("dataset/again").manifest.parents["language"].digest == language.digest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("say", "Bonjour.", "--language", "fr", "--voice", "base/small"), "does not speak French"),
        (("say", "Hi.", "--language", "xx", "--voice", "base/small"), "there is no language 'xx'"),
        (("pretrain", "--base", "base/small", "--data", "es,es", *STEPS), "named twice"),
        (("pretrain", "--data", "es,it", "--preset", "tiny"), "is in Spanish, but a base begins with English"),
        (("finetune", "--data", "es,it", "--base", "base/small"), "learns from one dataset"),
        (("finetune", "--data", "es", "--base", "english", "--no-card"), "es"),
    ],
)
def test_what_cannot_be_said_or_taught(taught, refused, arguments, message):
    if "english" in arguments:  # whose own languages come with the package
        pytest.skip("english speaks Spanish") if languages_of(taught.find("base/english"), taught) else None
    assert message in refused(*arguments)


def test_new_tokens_begin_as_the_nearest_phones():
    made = acoustic()
    clip = type("Clip", (), {"speaker": "new"})
    grown = extended(made, type("Corpus", (), {"speakers": ("new", "s1"), "clips": (clip,)}))
    rows, english = grown.model.encoder.emb.weight, made.model.encoder.emb.weight
    assert len(rows) == IPA_VOCABULARY_SIZE
    assert torch.equal(rows[:VOCABULARY_SIZE], english)
    assert torch.equal(rows[IPA_IDS["ˈo"]], english[PHONE_IDS["OW1"]])
    assert grown.spec.speakers["new"] == 3
    torch.testing.assert_close(grown.model.spk_emb.weight[3], made.model.spk_emb.weight.mean(0))


def test_small_parts_occur_several_times(taught):
    whole = Dataset.open(taught.find("dataset/es")).corpus
    one = whole.with_clips(whole.clips[:1])
    joined = balanced(Corpus.joined({"all": whole, "one": one}))
    assert sum(clip.id.startswith("one/") for clip in joined.clips) in {3, 4}
    assert sum(clip.id.startswith("all/") for clip in joined.clips) == len(whole.clips)


def test_a_base_in_a_language_has_its_speakers(taught):
    base, language = taught.find("base/small"), taught.find("language/two")
    spec = load_acoustic_model(base, (language, "it")).spec
    assert spec.voice == "it"
    assert {"es", "it", "s0"} <= {*spec.speakers}
