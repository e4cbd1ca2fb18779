"""Recordings that nobody wrote down, with recognisers played by stand-ins."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.preparation.conftest import rows
from voxgrad.audio.io import Waveform
from voxgrad.errors import BadInputError
from voxgrad.preparation import speech_recognition
from voxgrad.preparation.speech_recognition import Heard, Recogniser, choose_recogniser, recognise

SOUND = Waveform(np.sin(np.arange(22050) / 20).astype(np.float32), 22050)


def pocketsphinx(said: str) -> SimpleNamespace:
    """A stand-in that understands any sound so."""
    heard: list[bytes] = []
    decoder = SimpleNamespace(
        start_utt=heard.clear,
        process_raw=lambda raw, full_utt: heard.append(raw),
        end_utt=lambda: None,
        hyp=lambda: SimpleNamespace(hypstr=said) if said and heard[0] else None,
    )
    return SimpleNamespace(Decoder=lambda samprate, loglevel: decoder)


def whisper(*segments: tuple[str, float], asked: list[object] | None = None) -> SimpleNamespace:
    """A stand-in that gives these texts and log-probabilities; what it was asked with goes into ``asked``."""

    def transcribe(samples, **options):
        seen.append(samples)
        return iter(SimpleNamespace(text=text, avg_logprob=sure) for text, sure in segments), None

    def load(name, **options):
        assert options["device"] == "cpu"
        seen.append(name)
        return SimpleNamespace(transcribe=transcribe)

    seen = [] if asked is None else asked
    return SimpleNamespace(WhisperModel=load)


def broken(*arguments, **options):
    raise OSError("no model here\nand more")


@pytest.fixture
def installed(monkeypatch):
    """Makes it look as if just these recognisers were installed."""

    def install(**modules: object) -> None:
        monkeypatch.setattr(speech_recognition, "find_spec", modules.get)
        monkeypatch.setattr(speech_recognition, "import_module", modules.__getitem__)
        speech_recognition._loaded.cache_clear()

    yield install
    speech_recognition._loaded.cache_clear()


TRANSCRIBED = ("--jobs", "1", "--base", "none", "--transcribe", "auto")


@pytest.mark.parametrize(
    ("modules", "warning"),
    [
        ({"pocketsphinx": pocketsphinx("the sun is warm")}, "its text was transcribed by pocketsphinx"),
        (
            {"faster_whisper": whisper((" The sun is warm.", -0.6))},
            "its text was transcribed by faster-whisper, with low confidence",
        ),
    ],
)
def test_a_recording_without_a_text_gets_one_and_a_warning(modules, warning, folder, prepare, installed):
    installed(**modules)
    (folder / "metadata.csv").unlink()
    dataset = prepare(folder, *TRANSCRIBED)
    clips, verdicts = rows(dataset, "clips.jsonl"), rows(dataset, "verdicts.jsonl")
    assert {clip["text"] for clip in clips} == {"The sun is warm."}
    assert len(verdicts) == len(clips) == 3
    assert all(warning in verdict["reasons"] for verdict in verdicts)


@pytest.mark.parametrize(
    ("modules", "code", "complaint"),
    [
        ({"pocketsphinx": pocketsphinx("")}, 2, "pocketsphinx recognised nothing"),
        ({}, 2, "neither faster-whisper nor pocketsphinx is installed. Install one: pip install 'voxgrad[whisper]'"),
        (
            {"faster_whisper": SimpleNamespace(WhisperModel=broken)},
            4,
            "without a network, give a converted Whisper with --model DIR",
        ),
    ],
)
def test_what_cannot_be_transcribed_is_refused(modules, code, complaint, folder, command, installed):
    installed(**modules)
    (folder / "metadata.csv").unlink()
    outcome = command("prepare", folder, *TRANSCRIBED)
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


def test_whisper_is_loaded_from_its_folder_and_joins_its_segments_at_16_khz(installed, tmp_path):
    asked: list[object] = []
    installed(faster_whisper=whisper((" Hello.", -0.2), (" It rains. ", -0.5), asked=asked))
    assert recognise(Recogniser("faster-whisper", tmp_path), SOUND) == Heard("Hello. It rains.", -0.5)
    name, samples = asked
    assert name == str(tmp_path)
    assert len(samples) == 16000


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
