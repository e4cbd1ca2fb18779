"""Scripts as they sound: pauses of the length that was asked for, prosody, voices, sounds; and made again by replay."""

import io
import json
import math
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

import voxgrad
from voxgrad.audio.io import Waveform, write_audio
from voxgrad.audio.praat import bend, median_f0
from voxgrad.errors import BadInputError
from voxgrad.evaluation.metrics import spectral_detail
from voxgrad.voice.silence_cuts import Cut, Cuts, cuts_for
from voxgrad.voice.torch_engine import TorchEngine
from voxgrad.voice.voice import Speech

FAST = ("--voice", "robot", "--vocoder", "quick", "--steps", "1", "--precision", "float32")
TWENTY = [
    0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9,
    1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0,
]  # fmt: skip
SENTENCE = "The boy was there when the sun rose."
QUIET = 10 ** (-42 / 20)
"""Below the loudest 2 ms is silence: a rule of the tests' own."""


def silences(samples: np.ndarray, rate: int, least: float = 0.09) -> list[float]:
    """Seconds of every silence of at least ``least`` seconds between two sounds, in order."""
    window = round(0.002 * rate)
    level = np.sqrt(np.square(samples[: len(samples) // window * window]).reshape(-1, window).mean(1))
    quiet = level < QUIET * level.max()
    borders = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(int)))
    lengths = [
        (stop - start) * window / rate
        for start, stop in zip(borders[::2], borders[1::2], strict=True)
        if start > 0 and stop < len(quiet)
    ]
    return [length for length in lengths if length >= least]


def edges(samples: np.ndarray, rate: int) -> tuple[float, float]:
    """Seconds before the first sound and after the last."""
    loud = np.flatnonzero(np.abs(samples) > QUIET * np.abs(samples).max())
    return float(loud[0] / rate), float((len(samples) - 1 - loud[-1]) / rate)


def test_twenty_breaks_are_as_long_as_they_say(english):
    """Half of them within sentences, half between."""
    places = ("The man <break time='{}s'/> and the boy came. <break time='{}s'/>" for _ in range(10))
    document = f"<speak>{''.join(places).format(*TWENTY)}All ended here.</speak>"
    speech = english.say(document, steps=1)
    assert silences(speech.samples, speech.rate) == pytest.approx(TWENTY, abs=0.03)


@pytest.mark.parametrize("silence", [0.2, 0.35, 1.0])
def test_silences_between_sentences_are_as_long_as_they_say(silence, english):
    speech = english.say("All of us ran. No one moved.\n\nRain came.", steps=1, sentence_silence=silence)
    assert silences(speech.samples, speech.rate) == pytest.approx([silence, 2 * silence], abs=0.03)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("All of us ran — no one moved.", 0.3),
        ("All of us ran—no one moved.", 0.3),
        ("All of us ran -- no one moved.", 0.3),
        ("All of us ran... no one moved.", 0.6),
        ("All of us ran… no one moved.", 0.6),
        ("All of us ran [pause] no one moved.", 0.6),
        ("All of us ran [pause 0.8s] no one moved.", 0.8),
        ("All of us ran.[pause 0.8s] No one moved.", 0.8),
        ("All of us ran. [pause 0.2s]\n\n[pause 0.5s] No one moved.", 0.7),
    ],
)
def test_dashes_dots_and_marks_are_pauses(text, seconds, english):
    speech = english.say(text, steps=1, sentence_silence=0.6)
    assert silences(speech.samples, speech.rate) == pytest.approx([seconds], abs=0.03)


def test_the_ends_have_the_silence_that_was_asked_for(english):
    for asked in (0.0, 0.075, 0.5):
        speech = english.say("No one moved.", steps=1, edge_silence=asked)
        assert edges(speech.samples, speech.rate) == pytest.approx((asked, asked), abs=0.03)
    for silence in (0.0, 0.35):
        speech = english.say("No one moved. Rain came.", steps=1, sentence_silence=silence)
        assert all(0.05 <= seconds <= 0.1 + 0.01 for seconds in edges(speech.samples, speech.rate))
    speech = english.say("[pause 1s] No one moved. [pause 2s]", steps=1)
    assert edges(speech.samples, speech.rate) == pytest.approx((1, 2), abs=0.03)


def test_words_have_their_times_in_the_audio(english):
    speech = english.say("<speak>Ann <break time='2s'/> sang.<mark name='end'/></speak>", steps=1)
    (passage,) = speech.passages
    first, second = passage.words
    assert second.start - first.stop >= 1.95
    assert [mark.name for mark in passage.marks] == ["end"]
    assert passage.marks[0].time == passage.stop <= speech.seconds
    loud = np.abs(speech.samples) > 0.05 * np.abs(speech.samples).max()
    assert not loud[round((first.stop + 0.25) * speech.rate) : round((second.start - 0.1) * speech.rate)].any()


def test_cuts_move_times_as_they_move_samples():
    cuts = Cuts((Cut(0, 10, 0), Cut(50, 60, 100), Cut(90, 100, 0)))
    samples = cuts.apply(np.ones(100, np.float32), 1000)
    assert len(samples) == 100 - 10 - 10 + 100 - 10
    assert [cuts.moved(sample) for sample in (0, 10, 50, 55, 60, 90, 100)] == [0, 0, 40, 90, 140, 170, 170]
    assert not samples[40:140].any()


@pytest.mark.parametrize("samples", [np.zeros(1000, np.float32), np.ones(3, np.float32), np.ones(1000, np.float32)])
def test_cuts_of_audio_without_silence_or_without_sound(samples):
    cuts = cuts_for(samples, 1000, [(0.2, 0.3, 0.5)])
    assert np.isfinite(cuts.apply(samples, 1000)).all()


def pitch(speech: Speech) -> float:
    found = median_f0(Waveform(speech.samples, speech.rate))
    assert found is not None
    return found


def test_the_model_speaks_at_the_pitch_that_is_asked_for(english):
    plain = pitch(english.say(SENTENCE, steps=2))
    for asked, expected in (("+4st", plain * 2 ** (4 / 12)), ("-4st", plain * 2 ** (-4 / 12)), ("180Hz", 180)):
        raised = pitch(english.say(f"<speak><prosody pitch='{asked}'>{SENTENCE}</prosody></speak>", steps=2))
        assert raised == pytest.approx(expected, rel=0.06), asked


def test_the_postfilter_adds_detail(english):
    plain, *sharp = (
        spectral_detail(english.say(SENTENCE, postfilter=asked).samples, english.spec.mel) for asked in (0, 0.2, 0.4)
    )
    assert plain * 1.03 < sharp[0] < sharp[1] < 1.6 * plain


def test_a_question_ends_high(english):
    def end(text: str, **asked: float) -> float:
        speech = english.say(text, **asked)
        last = speech.passages[0].words[-1]
        part = speech.samples[round((last.start + last.stop) / 2 * speech.rate) : round(last.stop * speech.rate)]
        return pitch(replace(speech, samples=part))

    risen, flat = end("Did you see the lane?"), end("Did you see the lane?", question_rise=0)
    assert 12 * math.log2(risen / flat) > 4
    assert end("You have seen the lane.") == end("You have seen the lane.", question_rise=0)


def test_a_part_of_a_sentence_is_higher_slower_and_louder(english):
    plain = english.say("The boy was there, the sun rose.", steps=2)
    asked = english.say(
        "<speak>The boy was there, <prosody pitch='+5st' rate='50%' volume='+6dB'>the sun rose</prosody>.</speak>",
        steps=2,
    )
    at = [speech.passages[0].words[4].start for speech in (plain, asked)]
    assert at[0] == pytest.approx(at[1], abs=0.05)
    rest = [speech.passages[0].words[-1].stop - start for speech, start in zip((plain, asked), at, strict=True)]
    assert rest[1] == pytest.approx(2 * rest[0], rel=0.15)
    parts = [
        (speech.samples[: round(start * speech.rate)], speech.samples[round(start * speech.rate) :])
        for speech, start in zip((plain, asked), at, strict=True)
    ]
    louder = [np.abs(second).max() / np.abs(first).max() for first, second in parts]
    assert louder[1] / louder[0] > 1.4
    f0 = [[median_f0(Waveform(part, plain.rate)) for part in pair] for pair in parts]
    assert f0[1][0] == pytest.approx(f0[0][0], rel=0.05)
    assert f0[1][1] > 1.2 * f0[0][1]
    assert np.abs(np.diff(asked.samples)).max() < 2.5 * np.abs(np.diff(plain.samples)).max()


def test_silent_words_are_not_heard(english):
    speech = english.say("<speak>One <prosody volume='silent'>two three</prosody></speak>", steps=1)
    words = speech.passages[0].words
    quiet = speech.samples[round((words[1].start + 0.05) * speech.rate) : round(words[2].stop * speech.rate)]
    assert np.abs(quiet).max() < 0.01 * np.abs(speech.samples).max()


def test_praat_bends_the_pitch_where_the_model_cannot(record, tmp_path):
    record(tmp_path, {"a": "The sun is warm and the moon is near."}, f0=120.0)
    samples, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    half = len(samples) / rate / 2
    bent = bend(Waveform(samples, rate), np.array([0, half - 0.05, half + 0.05, 2 * half]), np.array([0.0, 0, 4, 4]))
    assert len(bent.samples) == len(samples)
    borders = round((half - 0.1) * rate), round((half + 0.1) * rate)
    plain, raised = (
        [median_f0(Waveform(part, rate)) for part in (one[: borders[0]], one[borders[1] :])]
        for one in (samples, bent.samples)
    )
    assert raised == [pytest.approx(plain[0], rel=0.04), pytest.approx(plain[1] * 2 ** (4 / 12), rel=0.04)]


def test_a_voice_without_pitch_prediction_takes_prosody_too(robots):
    robot = voxgrad.load("robot", vocoder="quick", home=robots)
    speech = robot.say("<speak><prosody pitch='+2st' rate='80%'>Hello there.</prosody></speak>", steps=1)
    assert speech.seconds > robot.say("Hello there.", steps=1).seconds


def test_speakers_of_a_base_take_turns_and_are_loaded_once(english, monkeypatch):
    turns = "<voice name='kathleen'>All of us ran.</voice><voice name='af_heart'>No one moved.</voice>"
    document = f"<speak>{turns}</speak>"
    speech = english.say(document, steps=1)
    assert set(speech.recipe.cast) == {"kathleen", "af_heart"}
    assert len(speech.passages) == 2
    with pytest.raises(BadInputError, match="there is no voice nobody here"):
        english.say("<speak><voice name='nobody'>Hello.</voice></speak>", steps=1)


def test_a_dialogue_has_one_file_and_loads_each_voice_once(furnished, command, monkeypatch):
    Path("play.txt").write_text("ann: Rain fell.\nbob: Snow fell.\nann: It rose.\nCid: So.\n", encoding="utf-8")
    loaded = []
    load = TorchEngine.load.__func__

    def counted(cls, voice, vocoder, language=None):
        loaded.append(voice.ref)
        return load(cls, voice, vocoder, language)

    monkeypatch.setattr(TorchEngine, "load", classmethod(counted))
    cast = "ann=robot,bob=robots@v1,cid=robots"
    outcome = command("say", "-f", "play.txt", "--cast", cast, *FAST, "-o", "play.wav", "--timings", "json", "--json")
    assert outcome.code == 0, outcome.err
    assert sorted(loaded) == ["robot@v1", "robots@v1"]
    turns = json.loads(Path("play.json").read_text(encoding="utf-8"))
    assert [turn["written"] for turn in turns] == ["Rain fell.", "Snow fell.", "It rose.", "So."]
    gaps = [after["start"] - before["stop"] for before, after in pairwise(turns)]
    assert gaps == pytest.approx([0.7] * 3, abs=0.001)
    assert json.loads(command("replay", "play.wav", "--json").out)["identical"] is True
    assert "cast.bob" in json.loads(outcome.out)["parents"]
    lines = [{"voice": "ann", "text": "Rain fell."}, {"voice": "bob", "text": "Snow fell.", "speed": 1.5}]
    Path("play.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert command("say", "-f", "play.jsonl", "--cast", cast, *FAST, "-o", "lines.wav").code == 0
    assert json.loads(command("replay", "lines.wav", "--json").out)["identical"] is True


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("ann: Hi.", "--cast", "ann"), "--cast has 'ann'"),
        (("ann: Hi.", "--cast", "=robot"), "--cast has '=robot'"),
        (("ann: Hi.", "--cast", "ann=robot,ann=robots"), "two voices for ann"),
        (("ann: Hi.", "--cast", "ann=nobody"), "ann is not a voice"),
        (("ann: Hi.", "--cast", "ann=robots:nobody"), "there is no speaker nobody"),
        (("x", "--ssml", "--markdown"), "cannot be used together"),
        (("<speak>a", "-o", "a.wav"), "broken in line 1, column 9"),
        (("<speak><break time='x'/></speak>", "-o", "a.wav"), "line 1, column 8"),
        (("<speak></speak>", "-o", "a.wav"), "no words to speak"),
        (("<speak><audio src='bell.wav'/></speak>", "-o", "a.wav"), "bell.wav does not exist"),
        (("a & b </p>", "--ssml"), "broken in line 1, column 11"),
        (("x", "--chapters", "3"), "work only for books"),
    ],
)
def test_a_script_that_cannot_be_spoken_is_refused(arguments, complaint, furnished, refused):
    assert complaint in refused("say", *arguments, *FAST)


def test_a_sound_is_played_at_the_level_of_speech_and_replayed(furnished, command, refused):
    rate = 8000
    tone = (0.02 * np.sin(np.arange(rate) * 0.3)).astype(np.float32)
    Path("text").mkdir()
    write_audio(Path("text/bell.wav"), Waveform(tone, rate))
    Path("text/a.ssml").write_text("<speak>Rain fell. <audio src='bell.wav'/> It rose.</speak>", encoding="utf-8")
    outcome = command("say", "-f", "text/a.ssml", *FAST, "-o", "text/a.wav", "--timings", "json")
    assert outcome.code == 0, outcome.err
    samples, heard_rate = soundfile.read("text/a.wav", dtype="float32")
    timings = json.loads(Path("text/a.json").read_text(encoding="utf-8"))
    start, stop = timings[1]["start"], timings[1]["stop"]
    assert timings[1]["written"] == "[bell.wav]"
    assert stop - start == pytest.approx(1, abs=0.01)
    assert np.abs(samples[round(start * heard_rate) : round(stop * heard_rate)]).max() > 0.06
    assert json.loads(command("replay", "text/a.wav", "--json").out)["identical"] is True
    assert command("say", "-f", "text/a.ssml", *FAST, "-o", "text/a.wav").code == 0
    assert len([one for one in furnished.list("speech") if one.name == "robot"]) == 1  # found, not made again
    write_audio(Path("text/bell.wav"), Waveform(tone[::-1].copy(), rate))
    assert "bell.wav is not the sound" in refused("replay", "text/a.wav")
    Path("text/bell.wav").unlink()
    Path("text/bell.wav").symlink_to("/etc/hostname")
    assert "to another folder" in refused("say", "-f", "text/a.ssml", *FAST, "-o", "text/b.wav")


def test_ssml_comes_in_by_every_way(furnished, command, monkeypatch):
    document = "<speak>Rain <break time='300ms'/> fell.</speak>"
    Path("a.ssml").write_text(document, encoding="utf-8")
    Path("a.md").write_text("# Rain\n\nIt *fell*.\n\n```\ncode\n```\n", encoding="utf-8")
    Path("a.html").write_text("<h1>Rain</h1><p>It <em>fell</em>.", encoding="utf-8")
    Path("list.jsonl").write_text(json.dumps({"text": document, "out": "list.wav"}), encoding="utf-8")
    assert command("say", document, *FAST, "-o", "text.wav").code == 0
    assert command("say", "Rain <break time='300ms'/> fell.", "--ssml", *FAST, "-o", "wrapped.wav").code == 0
    assert command("say", "-f", "a.ssml", *FAST, "-o", "file.wav").code == 0
    assert command("say", "-f", "a.ssml", *FAST, "-d", "out").code == 0
    assert command("say", "-f", "list.jsonl", *FAST).code == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(document.replace("> f", ">\nf").encode())))
    assert command("say", *FAST, "-o", "stdin.wav").code == 0
    first, *others = (
        soundfile.read(path, dtype="int16")[0]
        for path in ("text.wav", "wrapped.wav", "file.wav", "out/0001.wav", "list.wav", "stdin.wav")
    )
    assert all(np.array_equal(first, other) for other in others)
    outcome = command("say", "-f", "a.md", *FAST, "-o", "md.wav")
    assert (outcome.code, "code blocks are left out" in outcome.err) == (0, True)
    assert command("say", "-f", "a.html", *FAST, "-o", "html.wav").code == 0
    assert command("say", "# Rain\n\nIt *fell*.", "--markdown", *FAST, "-o", "markdown.wav").code == 0
    texts = [soundfile.read(path, dtype="int16")[0] for path in ("md.wav", "html.wav", "markdown.wav")]
    assert all(np.array_equal(texts[0], other) for other in texts[1:])
    assert json.loads(command("replay", "md.wav", "--json").out)["identical"] is True


def test_a_file_that_is_named_as_a_text_is_spoken_in_any_encoding(furnished, command):
    Path("notes.txt").write_bytes(b"Caf\xe9s\r\nare warm.")
    outcome = command("say", "notes.txt", *FAST, "-o", "x.wav")
    assert outcome.code == 0, outcome.err
    assert outcome.err.startswith("speaking the file notes.txt\n")
    assert furnished.find("speech/robot").path("text.txt").read_text(encoding="utf-8") == "Cafés\nare warm."


def test_pdf_is_refused_and_unknown_tags_are_said_once(furnished, command, refused):
    Path("a.pdf").write_bytes(b"%PDF-1.7")
    assert "PDF has no reading order" in refused("say", "-f", "a.pdf", *FAST)
    assert "PDF has no reading order" in refused("say", "a.pdf", *FAST)
    outcome = command("say", "<speak><b>Rain</b> <b>fell</b>.</speak>", *FAST, "-o", "a.wav")
    assert outcome.err.count("<b> is unknown") == 1
