"""Speech as a podcast, an audiobook or a telephone wants it: files, lists, streams and books."""

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from meter import examine

from voxgrad.audio.io import Waveform
from voxgrad.audio.loudness import loudness

sys.path.insert(0, str(Path(__file__).parents[1] / "documents"))
from books import write_epub

FAST = ("--voice", "robot", "--vocoder", "quick", "--steps", "1", "--precision", "float32")
TEXT = "The sun is warm. Rain fell all day.\n\nTwo dogs ran home. She reads a book to them."
SENTENCES = TEXT.split("\n\n")


@pytest.fixture
def said(furnished, command):
    def said(*arguments: object) -> str:
        outcome = command("say", *arguments, *FAST)
        assert outcome.code == 0, outcome.err
        return outcome.out

    return said


@pytest.mark.parametrize(
    ("arguments", "codec", "rate", "channels", "lufs", "peak"),
    [
        (("--for", "podcast"), "mp3float", 44100, 1, -16, -0.7),
        (("--for", "audiobook"), "mp3float", 44100, 1, -20, -2.7),
        (("--for", "phone"), "pcm_s16le", 8000, 1, None, 0),
        (("--for", "podcast", "--rate", "48000", "--loudness", "-19", "-o", "a.opus"), "opus", 48000, 1, -19, 0),
        (("--for", "podcast", "--stereo", "--format", "m4a"), "aac", 44100, 2, -16, -0.5),
        (("--bits", "24", "--rate", "16000", "--loudness", "-23", "--format", "flac"), "flac", 16000, 1, -23, -1),
    ],
)
def test_one_text(said, arguments, codec, rate, channels, lufs, peak):
    path = json.loads(said(TEXT, *arguments, "--json"))["file"]
    found = examine(path)
    assert (found.codec, found.rate, found.channels) == (codec, rate, channels)
    assert found.peak <= peak
    assert lufs is None or found.lufs == pytest.approx(lufs, abs=1)  # of passages of half a second
    assert codec != "mp3float" or found.bit_rate == {-16: 128, -20: 192}[lufs]


def test_a_real_voice_has_the_loudness_and_the_peak_that_are_asked_for(english, tmp_path):
    for number, text in enumerate((*SENTENCES, TEXT)):
        english.say(text, purpose="podcast", rate=None).save(tmp_path / f"{number}.wav")
        found = examine(tmp_path / f"{number}.wav")
        assert found.rate == 22050
        assert found.lufs == pytest.approx(-16, abs=0.5)
        assert found.peak <= -1


def test_a_list_a_stream_and_a_file_have_the_same_samples(said, monkeypatch):
    asked = ("--loudness", "-18", "--rate", "24000", "--bits", "24", "--stereo")
    said(TEXT, *asked, "-o", "a.wav")
    Path("list.jsonl").write_text(json.dumps({"text": TEXT, "out": "b.wav"}), encoding="utf-8")
    said("-f", "list.jsonl", *asked)
    with monkeypatch.context() as patch:
        stream = io.TextIOWrapper(io.BytesIO())
        patch.setattr(sys, "stdout", stream)
        said(TEXT, *asked, "-o", "-")
    Path("c.wav").write_bytes(stream.buffer.getvalue())
    a, b, c = (soundfile.read(name, dtype="int32")[0] for name in ("a.wav", "b.wav", "c.wav"))
    assert np.array_equal(a, b)
    assert np.array_equal(a, c)
    assert a.shape[1] == 2


@pytest.mark.parametrize("arguments", [("--bits", "24", "--stereo"), ("--bits", "32", "--rate", "44100"), ()])
def test_replay_makes_the_same_samples(said, command, arguments):
    said(TEXT, "--loudness", "-16", *arguments, "-o", "a.wav")
    outcome = command("replay", "a.wav", "--json")
    assert json.loads(outcome.out)["identical"] is True
    assert Path("a-replay.wav").read_bytes() == Path("a.wav").read_bytes()


def test_the_volumes_of_ssml_are_relative_to_the_loudness(english):
    text = '<speak>Rain fell all day. <prosody volume="-9dB">Rain fell all day.</prosody></speak>'
    speech = english.say(text, loudness=-20.0)
    first, second = (
        loudness(Waveform(speech.samples[round(one.start * speech.rate) : round(one.stop * speech.rate)], speech.rate))
        for one in speech.passages
    )
    assert first - second == pytest.approx(9, abs=0.7)


def test_a_sound_is_as_loud_as_the_speech(said):
    soundfile.write("bell.wav", 0.02 * np.sin(np.arange(44100) * 0.1), 44100)
    Path("a.ssml").write_text('<speak><audio src="bell.wav"/> Rain fell all day.</speak>', encoding="utf-8")
    said("-f", "a.ssml", "-o", "a.wav", "--loudness", "-16", "--rate", "44100")
    samples, rate = soundfile.read("a.wav", dtype="float32")
    assert loudness(Waveform(samples[rate // 5 : rate], rate)) == pytest.approx(-16, abs=0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bits", "24", "-o", "a.mp3"), "MP3 cannot hold samples of 24 bits"),
        (("--bits", "32", "--format", "flac", "-d", "d"), "FLAC cannot hold samples of 32 bits"),
        (("--rate", "44100", "-o", "a.opus"), "Opus has no sample rate of 44100 Hz"),
        (("--for", "podcast", "-o", "a.opus"), "Opus has no sample rate of 44100 Hz"),
        (("--rate", "11025"), "'11025' is not one of"),
        (("--bit-rate", "320", "-o", "a.mp3"), "MP3 at 22050 Hz has at most 160 kbit/s, not 320"),
        (("--loudness", "-3"), "less than or equal to -10"),
        (("--loudness", "-16", "--volume", "2"), "volume and loudness cannot be used together"),
        (("--play", "-o", "a.wav"), "--play writes no file"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(furnished, command, arguments, message):
    outcome = command("say", "Hello.", *arguments, "-q", *FAST)
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) <= 2  # with the hint


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("b.mp3", ("--for", "audiobook")),
        ("b.opus", ("--rate", "48000", "--stereo", "--loudness", "-19", "--peak", "-2")),
        ("b.wav", ("--rate", "16000", "--bits", "24", "--loudness", "-23")),
    ],
)
def test_a_book(said, name, asked, command):
    book = write_epub(Path("b.epub"), {"a.xhtml": "<p>The sun is warm.</p>", "b.xhtml": f"<p>{TEXT}</p>"}, [])
    said(book, "-o", name, *asked)
    found = examine(name)
    goal, peak = {"b.mp3": (-20, -3), "b.opus": (-19, -2), "b.wav": (-23, -1)}[name]
    assert (found.rate, found.channels) == {"b.mp3": (44100, 1), "b.opus": (48000, 2), "b.wav": (16000, 1)}[name]
    assert found.lufs == pytest.approx(goal, abs=1)
    assert found.peak <= peak + 0.5 * (name != "b.wav")
    replayed = json.loads(command("replay", name, "-o", "again.wav", "--json").out)
    assert replayed["identical"] is (True if name == "b.wav" else None)


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
def test_a_player_gets_a_wav(said, program):
    program("aplay", f"cat > {Path('heard.wav').absolute()}")
    said(TEXT, "--play", "--rate", "16000")
    said(TEXT, "-o", "a.wav", "--rate", "16000")
    heard, written = (soundfile.read(name, dtype="int16")[0] for name in ("heard.wav", "a.wav"))
    assert np.array_equal(heard, written)


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "there is no program that plays audio"),
        ("aplay", "aplay cannot play: aplay: main:852: audio open error: No such file or directory"),
    ],
)
def test_without_a_player_or_a_device_that_is_said_in_one_line(furnished, command, program, name, message):
    program(name, 'echo "aplay: main:852: audio open error: No such file or directory" >&2; exit 1')
    outcome = command("say", TEXT, "--play", "-q", *FAST)
    assert outcome.code == 4
    assert message in outcome.err
    assert len(outcome.err.splitlines()) <= 2
