"""`voxgrad convert` and `replay` on synthetic recordings and a tiny voice: what is kept, and what is refused."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from meter import examine

from voxgrad.audio.io import Waveform, read_audio, write_audio
from voxgrad.audio.measures import snr
from voxgrad.audio.writers import read_comment
from voxgrad.conversion.convert import _bent, _gains, pitch_of, sustained
from voxgrad.conversion.durations import _cost, _search, require_fit
from voxgrad.errors import BadInputError
from voxgrad.model.frame_prior import frame_positions
from voxgrad.model.gradtts import Performance
from voxgrad.settings import MelSpec
from voxgrad.voice.metadata import MARK, read_recipe

TEXT = "Snow covers the hill."
HOW = ("--voice", "robot", "--vocoder", "griffinlim", "--steps", "1")
RATE = 22050


@pytest.fixture(autouse=True)
def any_text_fits(monkeypatch: pytest.MonkeyPatch):
    """A voice of a few steps knows no text from another; `test_a_text_that_does_not_fit` has the bound back."""
    monkeypatch.setattr("voxgrad.conversion.durations.LEAST_MARGIN", -1e6)


@pytest.fixture
def takes(furnished, record) -> Path:
    """A folder with two recordings and their texts; the working folder's home has a voice robot."""
    record(Path("takes"), {"one": TEXT, "two": "Rain fell all day."})
    Path("takes/one.txt").write_text(TEXT, encoding="utf-8")
    Path("takes/two.txt").write_text("Rain fell all day.\n", encoding="utf-8")
    return Path("takes")


def tone(seconds: float, hertz: float = 200.0) -> Waveform:
    """A held note with harmonics."""
    times = np.arange(round(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * hertz * k * times) / k for k in range(1, 9))
    return Waveform((0.2 * sound).astype(np.float32), RATE)


def test_a_recording_keeps_its_length_and_says_where_it_comes_from(takes, command):
    outcome = command("convert", takes / "one.wav", *HOW, "-o", "out.wav", "--timings", "out.json", "--json")
    assert outcome.code == 0, outcome.err
    before, after = read_audio(takes / "one.wav"), read_audio(Path("out.wav"))
    assert abs(after.seconds - before.seconds) < 0.002
    told = json.loads(outcome.out)
    assert told["text"] == TEXT
    assert read_comment(Path("out.wav")).startswith(MARK)
    recipe = read_recipe(read_comment(Path("out.wav")), "out.wav")
    assert recipe is not None
    assert recipe.recording is not None
    assert recipe.recording.file == "one.wav"
    assert len(recipe.recording.sha256) == 64
    assert recipe.recording.conversion == {"timing": True, "melody": 1.0, "dynamics": True}
    assert recipe.consent == "not needed: synthetic"
    (said, rest) = json.loads(Path("out.json").read_text(encoding="utf-8"))
    assert [word["word"] for word in said["words"]] == ["snow", "covers", "the", "hill"]
    assert rest["words"] == []


def test_replay_makes_the_same_samples(takes, command):
    assert command("convert", takes / "one.wav", *HOW, "-o", "out.wav").code == 0
    missing = command("replay", "out.wav", "-q")
    assert missing.code == 2
    assert "one.wav, from which out.wav was converted, is missing" in missing.err
    other = command("replay", "out.wav", "--recording", takes / "two.wav", "-q")
    assert "two.wav is not the recording that out.wav was converted from" in other.err
    outcome = command("replay", "out.wav", "--recording", takes / "one.wav", "-o", "again.wav", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["identical"] is True
    shutil.copy(takes / "one.wav", "one.wav")
    assert json.loads(command("replay", "out.wav", "--json").out)["identical"] is True
    assert "recording.sha256" in command("info", "out.wav").out


def test_each_part_can_be_left_out(takes, command):
    made = []
    for option in ((), ("--no-timing",), ("--no-dynamics",)):
        outcome = command("convert", takes / "one.wav", *HOW, "-o", "out.wav", *option)
        assert outcome.code == 0, outcome.err
        made.append(read_audio(Path("out.wav")).samples)
    whole, *less = made
    assert not any(np.array_equal(whole, samples) for samples in less)


def test_what_is_converted_is_delivered_as_it_is_asked_for(takes, command):
    source = takes / "one.wav"
    for arguments, codec, rate, channels, lufs, peak in (
        (("--for", "podcast", "--no-dynamics"), "mp3float", 44100, 1, -16, -0.7),
        (("--format", "m4a", "--stereo", "--loudness", "-23"), "aac", 22050, 2, -23, -1),
        (("--rate", "16000", "--bits", "24", "--peak", "-12", "-o", "out.wav"), "pcm_s24le", 16000, 1, None, -12),
    ):
        outcome = command("convert", source, *HOW, *arguments, "--json")
        assert outcome.code == 0, outcome.err
        path = json.loads(outcome.out)["file"]
        found = examine(path)
        assert (found.codec, found.rate, found.channels) == (codec, rate, channels)
        assert found.peak <= peak
        assert lufs is None or found.lufs == pytest.approx(lufs, abs=0.5)
    assert read_audio(Path("out.wav")).seconds == pytest.approx(read_audio(source).seconds, abs=0.002)
    again = command("replay", "out.wav", "--recording", source, "--json")
    assert json.loads(again.out)["identical"] is True
    assert command("convert", source, *HOW, "--bits", "24", "-o", "out.mp3").code == 2


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
def test_what_is_converted_can_be_played(takes, command, program):
    program("aplay", "cat > heard.wav")
    outcome = command("convert", takes / "one.wav", *HOW, "--play")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("takes/one.wav: ")
    assert read_audio(Path("heard.wav")).seconds == pytest.approx(read_audio(takes / "one.wav").seconds, abs=0.002)
    assert command("convert", takes / "one.wav", *HOW, "--play", "-o", "out.wav").code == 2


def test_a_folder_becomes_a_folder_and_goes_on_where_it_stopped(takes, command):
    outcome = command("convert", takes, *HOW, "-d", "out", "--timings", "srt", "--format", "flac")
    assert outcome.code == 0, outcome.err
    assert {path.name for path in Path("out").iterdir()} == {"one.flac", "one.srt", "two.flac", "two.srt"}
    Path("out/two.flac").unlink()
    again = command("convert", takes, *HOW, "-d", "out", "--timings", "srt", "--format", "flac")
    assert "out/one.flac: there already" in again.out
    assert "out/two.flac: 1." in again.out


def test_one_bad_recording_of_several_is_named_and_the_others_are_converted(takes, command):
    write_audio(takes / "note.wav", tone(2.0))
    (takes / "note.txt").write_text("La la la.", encoding="utf-8")
    outcome = command("convert", takes, *HOW, "-d", "out")
    assert outcome.code == 2
    assert "note.wav is sung or music" in outcome.err
    assert "1 of 3 recordings were not converted" in outcome.err
    assert len(list(Path("out").iterdir())) == 2


def test_a_long_recording_is_cut_at_pauses_and_joined_again(takes, command, monkeypatch):
    monkeypatch.setattr("voxgrad.conversion.convert._LONGEST", 2.5)
    monkeypatch.setattr("voxgrad.conversion.convert._PAUSE", 0.4)
    parts = [read_audio(takes / f"{name}.wav").samples for name in ("one", "two")]
    pause = np.random.default_rng(0).normal(0, 1e-4, round(0.8 * RATE)).astype(np.float32)
    write_audio(Path("long.wav"), Waveform(np.concatenate([parts[0], pause, parts[1]]), RATE))
    text = f"{TEXT} Rain fell all day."
    outcome = command("convert", "long.wav", "--text", text, *HOW, "-o", "out.wav", "--timings", "t.json")
    assert outcome.code == 0, outcome.err
    assert abs(read_audio(Path("out.wav")).seconds - read_audio(Path("long.wav")).seconds) < 0.002
    said = json.loads(Path("t.json").read_text(encoding="utf-8"))
    assert [one["written"] for one in said] == [TEXT, "Rain fell all day.", ""]
    middle = (len(parts[0]) + len(pause) // 2) / RATE
    assert said[0]["stop"] < middle < said[1]["start"]
    at = round(middle * RATE)
    assert not read_audio(Path("out.wav")).samples[at - 2000 : at + 2000].any()


def test_what_is_no_speech_is_refused(takes, refused):
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
    speech = read_audio(takes / "one.wav").samples
    bad = {
        "empty.wav": (np.zeros(0, np.float32), ""),
        "silent.wav": (np.zeros(RATE, np.float32), "is silent throughout"),
        "short.wav": (tone(0.1).samples, "needs at least 0.3 s"),
        "noise.wav": (noise, "100% of noise.wav has no voice"),
        "sung.wav": (tone(2.0).samples, "sustained notes"),
        "noisy.wav": (
            speech + np.random.default_rng(0).normal(0, 0.7 * speech.std(), len(speech)).astype(np.float32),
            "too noisy",
        ),
    }
    for name, (samples, reason) in bad.items():
        soundfile.write(name, samples, RATE)
        assert reason in refused("convert", name, "--text", "Hello there.", *HOW, "-o", "out.wav"), name
        assert not Path("out.wav").exists()
    Path("no.wav").write_text("hello", encoding="utf-8")
    assert "not an audio file" in refused("convert", "no.wav", "--text", "Hello.", *HOW, "-o", "out.wav")
    assert "there is no gone.wav" in refused("convert", "gone.wav", *HOW)


def test_a_text_that_does_not_fit_is_refused(takes, refused, monkeypatch):
    one = takes / "one.wav"
    long = " ".join([TEXT] * 9)
    assert "which is too short" in refused("convert", one, "--text", long, *HOW, "-o", "out.wav")
    monkeypatch.setattr("voxgrad.conversion.durations.LEAST_MARGIN", 1e6)
    assert "does not fit one.wav" in refused("convert", one, *HOW, "-o", "out.wav")
    for empty in ("", " ", "?!"):
        assert "no words to speak" in refused("convert", one, "--text", empty, *HOW, "-o", "out.wav"), empty
    assert "is SSML" in refused("convert", one, "--text", "<speak>Hi</speak>", *HOW, "-o", "out.wav")
    (takes / "one.txt").write_text(" \n", encoding="utf-8")
    assert "one.txt is empty" in refused("convert", one, *HOW, "-o", "out.wav")
    (takes / "one.txt").unlink()
    monkeypatch.setattr("voxgrad.preparation.speech_recognition.installed_recogniser", lambda *_: None)
    assert "one.wav has no text" in refused("convert", one, *HOW, "-o", "out.wav")


def test_options_that_cannot_be_are_refused(takes, refused):
    one = takes / "one.wav"
    assert "cannot be used together" in refused("convert", one, *HOW, "-o", "a.wav", "-d", "out")
    assert "-o works for one recording" in refused("convert", takes, *HOW, "-o", "a.wav")
    assert "--text works for one recording" in refused("convert", takes, *HOW, "--text", "Hi.")
    assert "is the input recording" in refused("convert", one, *HOW, "-o", one)
    assert "two recordings" in refused("convert", one, one, *HOW, "-d", "out")
    assert "there is no speaker bob" in refused("convert", one, *HOW, "--speaker", "bob")
    Path("nothing").mkdir()
    assert "contains no recordings" in refused("convert", "nothing", *HOW)
    assert "convert" in refused("convert", one, *HOW, "--melody", "nan")


def test_frames_of_the_recording_are_found_by_token():
    performance = Performance(torch.tensor([2, 3, 1]), torch.zeros(6), torch.ones(6) > 0, timing=True, melody=1.0)
    same = performance.source_frames(*frame_positions(torch.tensor([[2, 3, 1]]), 6))
    assert same.tolist() == [[0, 1, 2, 3, 4, 5]]
    stretched = performance.source_frames(*frame_positions(torch.tensor([[4, 3, 1]]), 8))
    assert stretched.tolist() == [[0, 0, 1, 1, 2, 3, 4, 5]]


def test_the_melody_is_told_to_a_model_that_takes_pitch():
    voiced = torch.tensor([False, True, True, True])
    half = Performance(torch.tensor([4]), torch.tensor([0.0, 1.0, 2.0, -1.0]), voiced, timing=True, melody=0.5)
    token, position = frame_positions(torch.tensor([[4]]), 4)
    scores, voicing = half.melody_on(token, position, torch.full((1, 4), 3.0), torch.full((1, 4), -2.0))
    assert scores.tolist() == [[3.0, 2.0, 2.5, 1.0]]
    assert (voicing > 0).tolist() == [voiced.tolist()]


def test_the_melody_is_put_on_by_praat_where_a_model_takes_none():
    spec, held = MelSpec(), tone(1.0)
    frames = len(held.samples) // spec.hop_length
    rising = np.sin(2 * np.pi * np.arange(held.samples.size) / RATE * (180 + 20 * np.arange(held.samples.size) / RATE))
    own = pitch_of(Waveform(rising.astype(np.float32), RATE), spec)
    falling = torch.linspace(1, -1, frames)
    told = Performance(torch.tensor([frames]), falling, torch.ones(frames) > 0, timing=True, melody=1.0)
    bent = _bent(rising.astype(np.float32), spec, told, np.arange(frames))
    heard = pitch_of(Waveform(bent, RATE), spec)
    both = (own > 0) & (heard > 0)
    assert np.corrcoef(own[both], falling.numpy()[both])[0, 1] < -0.9
    assert np.corrcoef(heard[both], falling.numpy()[both])[0, 1] > 0.9


def test_gains_follow_the_recording():
    own, wanted = np.full(50, -20.0), np.concatenate([np.full(25, -26.0), np.full(25, -14.0)])
    gains = _gains(own, wanted, 10)
    assert np.allclose(gains[:100], 10 ** (-6 / 20))
    assert np.allclose(gains[-100:], 10 ** (6 / 20))


def test_a_held_note_is_no_speech():
    glide = np.linspace(100, 200, 200)
    assert sustained(np.full(100, 220.0)) == 1.0
    assert sustained(glide) < 0.5
    assert sustained(np.zeros(100)) == 0.0
    assert sustained(np.where(np.arange(200) % 20 < 2, 0.0, 150.0)) == 0.0
    assert snr(tone(1.0)) < 99


def test_durations_are_those_that_the_voice_believes():
    """Two sounds that a mel cannot tell apart get the lengths that are expected; a pause any length."""
    value = np.zeros((3, 12))
    cost = _cost(np.log([4.0, 2.0, 1.0]), np.array([True, True, False]), 100.0, 12)
    assert _search(value, cost).tolist() == [4, 2, 6]
    value[1, 8:10] = 50.0
    assert _search(value, np.zeros((3, 12)))[:2].tolist() != [4, 2]
    assert int(_search(value, cost).sum()) == 12


def test_nobody_speaks_that_fast_or_slowly():
    require_fit(20.0, 1.2, "Hello.", "a.wav")
    with pytest.raises(BadInputError, match=r"it is said 2\.5 times as fast"):
        require_fit(20.0, 0.4, "Hello.", "a.wav")
    with pytest.raises(BadInputError, match=r"it is said 0\.25 times as fast"):
        require_fit(20.0, 4.0, "Hello.", "a.wav")
