"""A base that was taught languages, and a voice that was made from it."""

import pytest
import torch

from tests.voice.conftest import CONSENT, MODEL
from voxgrad.acoustic_model import AcousticModel
from voxgrad.errors import BadInputError
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import AcousticSpec, MelSpec, TextSpec
from voxgrad.store import Store
from voxgrad.text.ipa import IPA_VOCABULARY_SIZE, language_blank
from voxgrad.training.dataset import Corpus
from voxgrad.training.languages import extended, write_language
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.registry import save
from voxgrad.voice import voice as voice_module
from voxgrad.voice.load import load_voice
from voxgrad.voice.speak import warn_unread
from voxgrad.voice.voice import Cast, SpeechJob
from voxgrad.weights import languages_of, weights_of

CHOIR = MODEL.model_copy(update={"n_spks": 2})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A base choir, a voice ann of it, and the languages es and de that it was taught, with the speaker sol."""
    store = Store(tmp_path_factory.mktemp("taught") / "home")
    torch.manual_seed(0)
    spec = AcousticSpec(
        model=CHOIR, mel=MelSpec(), text=TextSpec(), speakers={"ann": 0, "bob": 1}, voice="ann", duration_scale=3.0
    )
    acoustic = AcousticModel(GradTTS(CHOIR), spec)
    with store.stage("base", "choir") as staged:
        acoustic.write(staged.directory)
        base = staged.publish(fingerprint="0" * 64, settings={"acoustic": spec.model_dump()}, consent=CONSENT)
    with store.stage("voice", "ann") as staged:
        acoustic.write(staged.directory)
        settings = {"acoustic": spec.model_dump()}
        staged.publish(fingerprint="1" * 64, settings=settings, parents={"base": base}, consent=CONSENT)
    taught = extended(acoustic, Corpus((), staged.directory, ("sol",)))
    with torch.no_grad():
        taught.model.encoder.emb.weight[language_blank(0)] += 1
    with store.stage("language", "some") as staged:
        learnt = write_language(taught, staged.directory, base=base)
        staged.publish(
            fingerprint="2" * 64,
            settings={
                "acoustic": learnt.model_dump(),
                "languages": ["es", "de"],
                "voices": {"es": "sol", "de": "bob"},
            },
            parents={"base": base},
            consent=CONSENT,
        )
    with store.stage("vocoder", "quick") as staged:
        save(GriffinLim(GriffinLimSpec(n_iter=1), MelSpec()), staged.directory)
        staged.publish(fingerprint="3" * 64, settings={})
    return store


def load(store, ref):
    return load_voice(store, ref, engine="torch")


def test_weights_in_a_language_have_more_rows_and_english_none_of_it(store):
    base = store.find("choir", "base")
    taught = languages_of(base, store)
    assert list(taught) == ["es", "de"]
    assert languages_of(store.find("ann", "voice"), store) == taught
    english, spanish = weights_of(base), weights_of(base, (taught["es"], "es"))
    rows = len(english.floats("encoder.emb.weight"))
    assert len(spanish.floats("encoder.emb.weight")) == IPA_VOCABULARY_SIZE
    torch.testing.assert_close(
        torch.from_numpy(spanish.floats("encoder.emb.weight")[:rows]),
        torch.from_numpy(english.floats("encoder.emb.weight")),
        atol=2e-3,
        rtol=0,
    )
    assert len(spanish.floats("spk_emb.weight")) == 3


@pytest.mark.parametrize("ref", ["choir", "ann"])
def test_a_voice_speaks_each_of_its_languages(store, ref):
    voice = load(store, ref)
    assert voice.spoken == ("en", "es", "de")
    for language, text in (("es", "Hola."), ("de", "Hallo."), ("en", "Hello."), ("auto", "Guten Morgen zusammen.")):
        assert len(voice.say(text, steps=1, language=language).samples) > 1000
    with pytest.raises(BadInputError, match="does not speak French") as caught:
        voice.say("Bonjour.", language="fr")
    assert "de (German)" in caught.value.hint


def passages(voice, text, language=None):
    return [passage.encoded.language for passage in Cast(voice).passages([text], language)]


def test_whose_language_a_part_of_a_text_is(store, monkeypatch):
    voice = load(store, "ann")
    mixed = '<speak>So <lang xml:lang="es">hola</lang> <lang xml:lang="fr">oui</lang>.</speak>'
    assert passages(voice, mixed) == ["en", "es", "en"]
    assert passages(voice, mixed, "de") == ["de", "es", "de"]
    assert passages(voice, "Guten Morgen, wie geht es dir?\n\nWhat a lovely day.", "auto") == ["de", "en"]
    warnings = []
    job = SpeechJob(mixed, Cast(voice))
    warn_unread(job, lambda event: warnings.append(event.text))
    assert warnings == [f"{voice.artifact.ref} does not speak French: it is read as the text around it"]
    monkeypatch.setattr(voice_module, "is_installed", lambda: False)
    assert passages(voice, mixed) == ["en"]


def test_speakers_that_were_learnt_with_a_language(store):
    sol = load(store, "choir:sol")
    assert sol.own_language == "es"
    assert passages(sol, "Hola.") == ["es"]
    assert len(sol.say("Hola.", steps=1).samples) > 1000
    assert load(store, "choir:bob").own_language == "en"
    with pytest.raises(BadInputError, match="nobody"):
        load(store, "choir:nobody")
