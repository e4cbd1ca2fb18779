"""`--like` of `say` and `convert`: recordings are cloned once, and only with a statement."""

import shutil

import pytest

from voxgrad.audio.io import read_audio
from voxgrad.presets import load_preset

AS_IS = ("--vocoder", "griffinlim", "--steps", "1")
STATED = ("--no-consent-needed", "synthetic")


@pytest.fixture
def recording(tmp_path, recordings):
    """One recording, with its text beside it."""
    shutil.copy(recordings / "wavs" / "r00.wav", tmp_path / "me.wav")
    text = (recordings / "metadata.csv").read_text(encoding="utf-8").split("|")[1]
    (tmp_path / "me.txt").write_text(text, encoding="utf-8")
    return tmp_path / "me.wav"


@pytest.fixture
def few_steps(monkeypatch):
    """`instant`, but shorter."""
    preset = load_preset("instant", ["stages.0.steps=1", "stages.1.steps=1"])
    monkeypatch.setattr("voxgrad.presets.load_preset", lambda *_: preset)


@pytest.mark.usefixtures("few_steps")
def test_a_recording_is_cloned_once(furnished, done, recording):
    told = done("say", "Hello.", "--like", recording, *STATED, *AS_IS, "-o", "a.wav")
    (voice,) = [voice for voice in furnished.list("voice") if voice.name.startswith("me-")]
    assert f"--voice {voice.name}" in told.err
    assert voice.manifest.consent == "not needed: synthetic"
    assert voice.name in done("say", "Hello.", "--like", recording, *AS_IS, "-o", "b.wav").out
    done("say", "Hello.", "--voice", voice.name, *AS_IS, "-o", "c.wav")
    samples = [read_audio(recording.parent / f"{name}.wav").samples.tobytes() for name in "abc"]
    assert len(set(samples)) == 1
    assert len(furnished.list("voice")) == 2


@pytest.mark.usefixtures("few_steps")
def test_other_recordings_are_another_voice(furnished, done, recording, recordings):
    done("say", "Hello.", "--like", recording, *STATED, *AS_IS, "-o", "a.wav")
    (recording.parent / "me.txt").write_text("Other words.", encoding="utf-8")
    done("say", "Hello.", "--like", recording, *AS_IS, "-o", "b.wav", code=2)
    done("say", "Hello.", "--like", recordings, *STATED, *AS_IS, "-o", "c.wav")
    assert len({voice.name for voice in furnished.list("voice")} - {"robot"}) == 2


@pytest.mark.usefixtures("few_steps", "furnished")
def test_a_recording_is_converted_to_the_voice_of_another(done, recording, recordings, monkeypatch):
    monkeypatch.setattr("voxgrad.conversion.durations.LEAST_MARGIN", -1e6)  # a voice of two steps knows no text
    source = (recordings / "wavs" / "r01.wav", "--text", "The red boat is far away.", "--vocoder", "griffinlim")
    told = done("convert", *source, "--like", recording, *STATED, "-o", "a.wav").out
    assert "me-" in told


@pytest.mark.usefixtures("furnished")
def test_what_cannot_be_cloned_is_refused(refused, recording, monkeypatch):
    where = ("say", "Hello.", "-o", "a.wav")
    assert "may be cloned" in refused(*where, "--like", recording)
    assert "no file or folder" in refused(*where, "--like", "nowhere.wav")
    assert "cannot be used together" in refused(*where, "--like", recording, "--voice", "robot")
    assert "belongs to --like" in refused(*where, *STATED)
    recording.write_bytes(b"no audio")
    line = refused(*where, "--like", recording, *STATED)
    assert f"none of the 1 recordings in {recording} can be used" in line
    recording.with_suffix(".txt").unlink()
    monkeypatch.setattr("voxgrad.preparation.speech_recognition.best_recogniser", lambda *_, **__: None)
    assert "me.txt" in refused(*where, "--like", recording, *STATED)
