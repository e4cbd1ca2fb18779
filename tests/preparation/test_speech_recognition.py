"""Recordings that nobody wrote down, with recognisers played by stand-ins."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from tests.preparation.conftest import rows
from voxgrad.audio.io import Waveform
from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.preparation import speech_recognition
from voxgrad.preparation.speech_recognition import Heard, Recogniser, choose_recogniser, recognise

SOUND = Waveform(np.sin(np.arange(22050) / 20).astype(np.float32), 22050)


class Decoder:
    """Of pocketsphinx, as far as it is used."""

    said = "the sun is warm"

    def __init__(self, samprate: int, loglevel: str) -> None:
        self.heard = b""

    def start_utt(self) -> None:
        self.heard = b""

    def process_raw(self, raw: bytes, full_utt: bool) -> None:
        self.heard += raw

    def end_utt(self) -> None:
        pass

    def hyp(self):
        return SimpleNamespace(hypstr=self.said) if self.said and self.heard else None


@pytest.fixture
def installed(monkeypatch):
    """Makes it look as if just these recognisers were installed."""

    def install(**modules: object) -> None:
        monkeypatch.setattr(speech_recognition, "find_spec", modules.get)
        monkeypatch.setattr(speech_recognition, "import_module", modules.__getitem__)
        speech_recognition._loaded.cache_clear()

    yield install
    speech_recognition._loaded.cache_clear()


def test_a_recording_without_a_text_gets_one_and_a_warning(folder, prepare, installed):
    installed(pocketsphinx=SimpleNamespace(Decoder=Decoder))
    (folder / "metadata.csv").unlink()
    dataset = prepare(folder, "--transcribe", "pocketsphinx", "--jobs", "1", "--base", "none")
    clips, verdicts = rows(dataset, "clips.jsonl"), rows(dataset, "verdicts.jsonl")
    assert {clip["text"] for clip in clips} == {"The sun is warm."}
    assert len(verdicts) == len(clips) == 3
    assert all("pocketsphinx" in json.dumps(verdict) for verdict in verdicts)


def not_there(**options):
    raise OSError("Name or service not known")


@pytest.mark.parametrize(
    ("modules", "code", "complaint"),
    [
        ({"pocketsphinx": SimpleNamespace(Decoder=Decoder)}, 2, "pocketsphinx recognised nothing"),
        ({}, 2, "neither faster-whisper nor pocketsphinx is installed. Install one: pip install 'voxgrad[whisper]'"),
        (
            {"faster_whisper": SimpleNamespace(WhisperModel=lambda name, **options: not_there())},
            4,
            "without a network, give a converted Whisper with --model DIR",
        ),
    ],
)
def test_what_cannot_be_transcribed_is_refused(modules, code, complaint, folder, command, installed, monkeypatch):
    monkeypatch.setattr(Decoder, "said", "")
    installed(**modules)
    (folder / "metadata.csv").unlink()
    outcome = command("prepare", folder, "--transcribe", "auto", "--jobs", "1", "--base", "none")
    assert outcome.code == code
    assert complaint in outcome.err


def test_the_better_one_is_chosen_first(installed):
    installed(faster_whisper=object(), pocketsphinx=object())
    assert choose_recogniser("auto") == Recogniser("faster-whisper")
    assert choose_recogniser("pocketsphinx") == Recogniser("pocketsphinx")
    installed(pocketsphinx=object())
    assert choose_recogniser("auto") == Recogniser("pocketsphinx")
    with pytest.raises(BadInputError, match="faster-whisper"):
        choose_recogniser("faster-whisper")


def test_whisper_joins_its_segments_at_16_khz(installed):
    heard = []

    class WhisperModel:
        def __init__(self, name, **options):
            assert options["device"] == "cpu"

        def transcribe(self, samples, **options):
            heard.append(samples)
            said = (
                SimpleNamespace(text=" Hello.", avg_logprob=-0.2),
                SimpleNamespace(text=" It rains. ", avg_logprob=-0.5),
            )
            return iter(said), None

    installed(faster_whisper=SimpleNamespace(WhisperModel=WhisperModel))
    assert recognise(Recogniser("faster-whisper"), SOUND) == Heard("Hello. It rains.", -0.5)
    assert len(heard[0]) == 16000


def test_a_recogniser_that_fails_is_named(installed):
    def broken(**options):
        raise OSError("no model here\nand more")

    installed(pocketsphinx=SimpleNamespace(Decoder=broken))
    with pytest.raises(EnvironmentFailureError, match=r"pocketsphinx failed \(no model here\)"):
        recognise(Recogniser("pocketsphinx"), SOUND)


def test_a_text_that_whisper_is_unsure_of_is_told(folder, prepare, installed):
    class WhisperModel:
        def __init__(self, name, **options):
            pass

        def transcribe(self, samples, **options):
            return iter([SimpleNamespace(text=" The sun is warm.", avg_logprob=-0.6)]), None

    installed(faster_whisper=SimpleNamespace(WhisperModel=WhisperModel))
    (folder / "metadata.csv").unlink()
    dataset = prepare(folder, "--transcribe", "auto", "--jobs", "1", "--base", "none")
    expected = "its text was transcribed by faster-whisper, with low confidence"
    assert all(expected in verdict["reasons"] for verdict in rows(dataset, "verdicts.jsonl"))


def test_a_folder_that_is_no_model_is_refused(tmp_path, installed):
    installed(faster_whisper=object())
    with pytest.raises(BadInputError, match=r"has no model.bin, which a converted Whisper"):
        choose_recogniser("auto", tmp_path)
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes(name.encode())
    chosen = choose_recogniser("auto", tmp_path)
    assert chosen == Recogniser("faster-whisper", tmp_path)
    assert len(chosen.settings["model"]) == 64
    assert str(tmp_path) not in str(chosen.settings)
    with pytest.raises(BadInputError, match="not to pocketsphinx"):
        choose_recogniser("pocketsphinx", tmp_path)
    installed(pocketsphinx=object())
    with pytest.raises(BadInputError, match="faster-whisper is installed"):
        choose_recogniser("auto", tmp_path)


def test_the_model_is_loaded_from_its_folder(tmp_path, installed):
    class WhisperModel:
        def __init__(self, name, **options):
            assert name == str(tmp_path)

        def transcribe(self, samples, **options):
            return iter(()), None

    installed(faster_whisper=SimpleNamespace(WhisperModel=WhisperModel))
    with pytest.raises(BadInputError, match="faster-whisper recognised nothing"):
        recognise(Recogniser("faster-whisper", tmp_path), SOUND)
