import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from voxgrad.audio.writers import convert, read_comment
from voxgrad.voice.metadata import MARK, read_recipe

SAID = ("say", "Rain fell all day. Two dogs ran home.", "--voice", "robot", "--vocoder", "quick")
HOW = ("--steps", "1", "--precision", "float32", "--seed", "4", "--speed", "1.3", "--pitch", "1", "--volume", "0.8")


@pytest.fixture
def made(furnished, command):
    """A sound that says what it was made of."""

    def made(name: str, *arguments: str) -> Path:
        outcome = command(*SAID, *HOW, "-o", name, *arguments)
        assert outcome.code == 0, outcome.err
        return Path(name)

    return made


def test_a_sound_is_made_again(made, command):
    source = made("plain.wav")
    for name, identical in {"a.wav": True, "a.flac": True, "a.ogg": None, "a.mp3": None}.items():
        convert(source, Path(name), read_comment(source))
        outcome = command("replay", name, "-o", "again.wav", "--json")
        assert outcome.code == 0, outcome.err
        assert json.loads(outcome.out)["identical"] is identical
        again, plain = (soundfile.read(path, dtype="int16")[0] for path in ("again.wav", "plain.wav"))
        assert np.array_equal(again, plain)
        assert read_comment(Path("again.wav")) == read_comment(source)


def test_a_text_of_many_lines_is_kept_as_it_was(furnished, command):
    text = "It is “so” warm, café.\n\n\tTwo dogs & <one> ran home.\n"
    Path("book.txt").write_text(text, encoding="utf-8")
    outcome = command("say", "-f", "book.txt", *SAID[2:], *HOW, "-o", "book.wav")
    assert outcome.code == 0, outcome.err
    recipe = read_recipe(read_comment(Path("book.wav")), "book.wav")
    assert recipe is not None
    assert recipe.text == text
    assert json.loads(command("replay", "book.wav", "--json").out)["identical"] is True


def test_by_default_it_lies_beside(made, command):
    made("a.wav")
    outcome = command("replay", "a.wav")
    assert outcome.code == 0
    assert outcome.out.startswith("a-replay.wav: ")
    assert "the same samples" in outcome.out


def test_another_sound_is_noticed(made, command):
    path = made("a.wav")
    content = bytearray(path.read_bytes())
    content[-200] ^= 1
    path.write_bytes(content)
    assert json.loads(command("replay", "a.wav", "--json").out)["identical"] is False
    path.write_bytes(content[:-400])
    convert(path, Path("short.flac"), read_comment(path))
    assert json.loads(command("replay", "short.flac", "--json").out)["identical"] is False


def test_threads_are_as_they_were(made, command):
    made("a.wav")
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        assert json.loads(command("replay", "a.wav", "--json").out)["identical"] is True
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_info_shows_what_it_says(made, command):
    made("a.ogg")
    page = command("info", "a.ogg").out
    for shown in ("synthetic", "Rain fell all day.", "robot@v1", "synthesis.speed", "1.3"):
        assert shown in page
    answer = json.loads(command("info", "a.ogg", "--json").out)
    assert answer["recipe"]["seed"] == 4
    assert answer["recipe"]["delivery"]["pitch"] == 1


def test_a_voice_that_is_gone_is_named(made, command, furnished):
    made("a.wav")
    shutil.rmtree(furnished.home / "artifacts" / "voice")
    outcome = command("replay", "a.wav", "-q")
    assert outcome.code == 2
    assert "the voice robot@v1 that made a.wav is not in this store" in outcome.err


def test_other_pronunciations_are_noticed(made, command):
    Path("words.txt").write_text("rain  R EY1 N AH0\n", encoding="utf-8")
    made("a.wav", "--lexicon", "words.txt")
    outcome = command("replay", "a.wav", "-q")
    assert outcome.code == 2
    assert "another lexicon" in outcome.err
    assert json.loads(command("replay", "a.wav", "--lexicon", "words.txt", "--json").out)["identical"] is True


def test_what_says_nothing_of_itself_is_refused(made, refused, command):
    made("plain.wav", "--no-metadata")
    soundfile.write("foreign.wav", np.zeros(99), 22050)
    Path("text.wav").write_text("hello", encoding="utf-8")
    made("damaged.wav")
    convert(Path("damaged.wav"), Path("damaged.flac"), f"{MARK} {{")
    assert "does not say how it was made" in refused("replay", "plain.wav")
    for action in ("replay", "info"):
        assert "has no voxgrad metadata" in refused(action, "foreign.wav")
        assert "cannot be read as audio" in refused(action, "text.wav")
        assert "cannot be read as audio" in refused(action, "nowhere.wav")
        outcome = command(action, "damaged.flac", "-q")
        assert outcome.code == 3
        assert "is damaged" in outcome.err
    assert "is the input file" in refused("replay", "damaged.wav", "-o", "damaged.wav")
