"""A base that was taught languages, and a voice that was made from it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.documents.books import write_epub
from tests.voice.taught import taught_store
from voxgrad.cli.terminal import use_of
from voxgrad.errors import BadInputError
from voxgrad.packing import WEIGHTS
from voxgrad.text.ipa import IPA_VOCABULARY_SIZE
from voxgrad.voice import voice as voice_module
from voxgrad.voice.cast import Cast
from voxgrad.voice.load import load_voice
from voxgrad.voice.speak import warn_unread
from voxgrad.voice.voice import SpeechJob
from voxgrad.weights import languages_of, weights_of


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return taught_store(tmp_path_factory.mktemp("taught") / "home")


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
    assert passages(voice, "OK.\n\nBuenos días a todos.\n\nOK.", "auto") == ["en", "es", "es"]
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


def test_a_book_is_read_in_its_language(store, command, monkeypatch):
    monkeypatch.setenv("VOXGRAD_HOME", str(store.home))

    def said(language, *more):
        book = write_epub(Path("b.epub"), {"a.xhtml": "<p>Am 3. Mai.</p>"}, language=language)
        outcome = command(
            "say", book, "-o", "b.wav", "--voice", "ann", "--steps", "1", "--timings", "json", "-q", *more
        )
        assert outcome.code == 0, outcome.err
        timings = json.loads(Path("b.json").read_text("utf-8"))
        return " ".join(word["word"] for one in timings for word in one["words"]), outcome.err

    assert said("de-AT") == ("Am dritten Mai", "")
    assert said("de", "--language", "en") == ("am three mai", "")
    words, warning = said("fr")
    assert words == "am three mai"
    assert warning == "warning: the book is in fr, which ann@v1 does not speak: it is read as en (English)\n"


def test_commands_name_languages(store, command, refused, monkeypatch):
    monkeypatch.setenv("VOXGRAD_HOME", str(store.home))
    assert "es (Spanish), de (German), choir@v1" in command("ls", "language").out
    assert "es (Spanish) by sol, de (German) by bob" in command("show", "language/some").out
    assert "en (English), es (Spanish), de (German)" in command("show", "voice/ann").out
    speakers = command("ls", "speakers")
    assert "speaks Spanish" in speakers.out
    assert 'next: voxgrad say "Hallo" --voice english:nathalie' in speakers.err  # a reader of Dutch
    assert 'next: voxgrad say "Hola" --language es -o hello.wav' in command("show", "language/some").err
    assert "does not speak French. It speaks en (English)" in refused("say", "Oui.", "--language", "fr", "-o", "a.wav")
    assert "there is no language 'xx'. Give one of en (English)" in refused("say", "Oui.", "--language", "xx")


def test_a_voice_that_learnt_from_another_language_needs_what_taught_that(store, tmp_path):
    with store.stage("voice", "eva") as staged:
        spec = store.find("ann", "voice").manifest.settings["acoustic"]
        (staged.directory / WEIGHTS).write_bytes(store.find("ann", "voice").path(WEIGHTS).read_bytes())
        settings = {"acoustic": {**spec, "text": {**spec["text"], "language": "es"}}}
        parents = {"base": store.find("choir", "base"), "language": store.find("some", "language")}
        staged.publish(fingerprint="4" * 64, settings=settings, parents=parents, consent="eva agreed")
    eva = load(store, "eva")
    assert eva.spoken == ("es", "en", "de")
    assert passages(eva, "Hola.") == ["es"]
    assert use_of(eva.artifact) == 'say "Hola" --voice eva@v1 -o hello.wav'
    alone = replace(eva, languages={})
    with pytest.raises(BadInputError, match="eva@v1 speaks Spanish by some@v1, which is not in this store"):
        passages(alone, "Hola.")
    assert passages(alone, "Hello.", "en") == ["en"]
