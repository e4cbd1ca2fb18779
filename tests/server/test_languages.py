"""What the server tells of the languages of its voices, and how a request names one."""

import pytest

from tests.voice.taught import taught_store
from voxgrad.errors import BadInputError
from voxgrad.server import service as service_module
from voxgrad.server.service import SpeechService
from voxgrad.server.settings import ServerSettings
from voxgrad.server.speech_api import described
from voxgrad.server.workers import Metrics
from voxgrad.server.wyoming import _Connection, _info, _VoiceData


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    store = taught_store(tmp_path_factory.mktemp("taught") / "home")
    return SpeechService(store, None, ServerSettings(), Metrics())


def test_voices_tell_their_languages(service, monkeypatch):
    base = described(service.store.find("choir", "base"), service)
    assert base.languages == ["en", "es", "de"]
    assert [(speaker.name, speaker.language) for speaker in base.speaker_details] == [
        ("ann", None),
        ("bob", None),
        ("sol", "es"),
    ]
    assert base.speakers == ["ann", "bob", "sol"]
    assert described(service.store.find("ann", "voice"), service).languages == ["en", "es", "de"]
    assert service.find("choir:sol").own_language == "es"
    monkeypatch.setattr(service_module, "is_installed", lambda: False)
    assert described(service.store.find("ann", "voice"), service).languages == ["en"]


def test_home_assistant_finds_a_voice_under_each_of_its_languages(service):
    (program,) = _info(service).tts
    listed = {voice.name: (voice.languages, [one.name for one in voice.speakers or ()]) for voice in program.voices}
    assert listed == {
        "ann": (["en_US"], []),
        "ann/es": (["es_ES"], []),
        "ann/de": (["de_DE"], []),
        "choir": (["en_US"], ["ann", "bob"]),
        "choir/es": (["es_ES"], ["ann", "bob", "sol"]),
        "choir/de": (["de_DE"], ["ann", "bob"]),
    }


@pytest.mark.parametrize(
    ("asked", "reference", "language"),
    [
        ({}, None, None),
        ({"name": "ann"}, "ann", None),
        ({"name": "ann/es"}, "ann", "es"),
        ({"name": "choir/de", "speaker": "bob"}, "choir:bob", "de"),
        ({"name": "ann", "language": "de-AT"}, "ann", "de"),
        ({"language": "pt_BR"}, None, "pt"),
    ],
)
def test_a_request_names_a_voice_or_a_language(asked, reference, language):
    data = _VoiceData(**asked)
    assert (data.reference, data.spoken) == (reference, language)


def test_a_language_alone_gets_the_newest_voice_that_speaks_it(service):
    connection = _Connection(None, None, service, ServerSettings())
    assert connection._find(_VoiceData(language="es")).artifact.name == "ann"
    with pytest.raises(BadInputError, match="no language 'xx'"):
        connection._find(_VoiceData(language="xx"))
