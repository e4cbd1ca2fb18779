"""A voice is measured, with and without models of perception."""

import json

import numpy as np
import pytest

from voxgrad.audio.io import Waveform
from voxgrad.evaluation import metrics
from voxgrad.evaluation.clips import lines, summarised
from voxgrad.evaluation.metrics import distances, misheard, phone_seconds, warp
from voxgrad.preparation import speech_recognition
from voxgrad.settings import MelSpec
from voxgrad.text.symbols import BLANK, PHONE_IDS

RATE = 22050


def tone(f0: float, seconds: float = 1.0) -> np.ndarray:
    phase = 2 * np.pi * f0 * np.arange(round(seconds * RATE)) / RATE
    return (0.1 * sum(np.sin(phase * harmonic) / harmonic for harmonic in range(1, 12))).astype(np.float32)


@pytest.fixture
def alone(monkeypatch) -> None:
    for module in (metrics, speech_recognition):
        monkeypatch.setattr(module, "find_spec", lambda name: None)


def test_warping_finds_the_frames_again():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(20, 3)).astype(np.float32)
    repeats = rng.integers(1, 4, 20)
    path = warp(np.repeat(one, repeats, axis=0), one)
    assert np.array_equal(path[:, 1], np.repeat(np.arange(20), repeats))
    assert np.array_equal(path[:, 0], np.arange(repeats.sum()))


def test_a_sound_has_no_distance_from_itself():
    same = distances(tone(150), tone(150), MelSpec())
    assert same.mel_cepstral_distortion < 1e-3
    assert (same.f0_error, same.f0_shift, same.voicing_error, same.length) == (0, 0, 0, 1)
    assert same.spectral_detail == 1


def test_harmonics_that_the_bands_resolve_are_detail_and_a_smooth_spectrum_has_none():
    high, low = (np.zeros(RATE, np.float32) for _ in range(2))
    high[:: RATE // 350], low[:: RATE // 60] = 0.5, 0.5
    assert distances(high, low, MelSpec()).spectral_detail > 5
    assert distances(low, high, MelSpec()).spectral_detail < 0.2
    assert distances(high, np.zeros(RATE, np.float32), MelSpec()).spectral_detail is None


@pytest.mark.parametrize(
    ("language", "text", "heard", "wrong"),
    [
        ("en", "twenty cats ran", "20 cats ran.", 0),
        ("es", "Los tres pagaron 12 euros el 3 de mayo de 1998.", "los tres pagaron doce euros el 3/5/1998", 0),
        ("es", "Hola, de Madrid a Toledo.", "¡Hola de Madrid! ¿A Toledo?", 0),
        ("es", "El perro come pan.", "El berro come un pan.", 2),
        ("fr", "Les amis, ils ont vingt et un ans.", "Les amis ils ont 21 ans", 0),
        ("de", "Er kam am dritten Mai.", "Er kam am 3. Mai", 0),
        ("de", "Schöne Grüße!", "", 2),
        ("nl", "Wij fietsten langs het kanaal.", "Ja", 5),
    ],
)
def test_a_word_is_misheard_where_it_neither_reads_nor_sounds_the_same(language, text, heard, wrong):
    assert misheard(text, heard, language) == wrong


def test_a_tone_an_octave_higher_is_twelve_semitones_away():
    found = distances(tone(240, 1.5), tone(120), MelSpec())
    assert found.f0_shift == pytest.approx(12, abs=0.05)
    assert found.f0_error == pytest.approx(1200, abs=30)
    assert found.length == pytest.approx(1.5, abs=1e-3)
    assert found.mel_cepstral_distortion > 1


def test_silence_has_no_pitch_to_compare():
    found = distances(np.zeros(RATE, np.float32), tone(120), MelSpec())
    assert (found.f0_error, found.f0_shift) == (None, None)
    assert found.voicing_error > 0.9


def test_a_blank_belongs_to_the_phone_before():
    tokens = [BLANK, PHONE_IDS["AH0"], BLANK, PHONE_IDS["N"], BLANK]
    frames = phone_seconds(tokens, [5, 2, 1, 3, 4], MelSpec()) / MelSpec().seconds_per_frame
    assert frames.tolist() == pytest.approx([3, 7])


def test_shares_are_of_all_words():
    rows = {"voice": [{"misheard": 1, "words": 2, "length": 0.9}, {"misheard": 0, "words": 8, "length": 1.1}]}
    summary = summarised(rows)
    assert summary["voice"] == {"length": 1.0, "length_error": 0.1, "word_error": 0.1, "misheard": 1, "words": 10}
    assert [unit for _, unit, _ in lines(summary)] == ["%", "", "%"]


def test_an_evaluation_is_an_artifact_and_is_found_again(furnished, command, alone):
    asked = ("evaluate", "voice/robot", "--vocoder", "griffinlim", "--steps", "1", "--clips", "2")
    first = command(*asked)
    assert first.code == 0, first.err
    assert first.out.startswith("Not measured: likeness, words understood, clearness.\nWhat measures them: pip install")
    assert "mel-cepstral distortion" in first.out
    assert "word error" not in first.out
    found = furnished.find("robot", "evaluation")
    content = json.loads(found.path("evaluation.json").read_text())
    assert 1 <= len(content["clips"]) <= 2
    assert content["summary"]["voice"]["real_time_factor"] > 0
    assert found.path("evaluation.md").read_text().startswith("# voice robot@v1 on ")
    assert "Not measured" in found.path("evaluation.md").read_text()
    assert set(found.manifest.parents) == {"voice", "dataset"}
    again = json.loads(command(*asked, "--json").out)
    assert again["evaluation"] == found.ref


def test_only_held_out_clips_are_used(furnished, command, alone, chain):
    made = json.loads(command("evaluate", "--vocoder", "griffinlim", "--steps", "1", "--json").out)
    assert made["metrics"]["clips"] == chain.voice.manifest.metrics["held_out_clips"]


def test_models_that_cannot_be_imported_are_not_installed(monkeypatch):
    """As Resemblyzer without pkg_resources, which setuptools no longer has."""

    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(metrics, "find_spec", lambda name: None if name == "pocketsphinx" else name)
    monkeypatch.setattr(metrics, "import_module", missing)
    models = metrics.PerceptualMetrics()
    assert sorted(models.lacking) == ["DNSMOS", "clearness", "likeness", "words understood"]
    audio = Waveform(tone(120), RATE)
    assert (models.speech([audio]), models.clearness(audio), models.quality(audio)) == (None, None, None)


@pytest.mark.parametrize("failing", [ValueError("not here"), OSError("no network"), None])
def test_whisper_recognises_where_its_model_is(failing, monkeypatch, tmp_path):
    class Whisper:
        @staticmethod
        def download_model(name, *, local_files_only):
            assert (name, local_files_only) == ("base.en", True)
            if failing is not None:
                raise failing
            return str(tmp_path)

    monkeypatch.setattr(speech_recognition, "find_spec", lambda name: name)
    monkeypatch.setattr(speech_recognition, "import_module", lambda name: Whisper)
    found = speech_recognition.best_recogniser(download=False)
    expected = ("faster-whisper", tmp_path) if failing is None else ("pocketsphinx", None)
    assert (found.name, found.model) == expected


def test_numbers_that_are_recognised_as_digits_are_no_errors(monkeypatch, alone):
    monkeypatch.setattr(metrics, "hear", lambda *_: speech_recognition.Heard("In 1455, the 42-line Bible.", None))
    models = metrics.PerceptualMetrics(speech_recognition.Recogniser("faster-whisper"))
    text = "in fourteen fifty five, the forty two line bible."
    assert models.words_misheard(Waveform(tone(120), RATE), text) == 0
