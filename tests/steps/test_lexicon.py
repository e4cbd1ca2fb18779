"""The user's pronunciations on their way from prepare through finetune to say, and words without any."""

import json
from pathlib import Path

import pytest

from voxgrad.store import Store
from voxgrad.text.lexicon import Lexicon

TEXTS = {"a": "The sun is zzyzxq.", "b": "Rain fell all day.", "c": "Two zzyzxq snizzles ran home."}
ENTRIES = "zzyzxq  Z IH1 Z IH0 K S\nsnizzles  S N IH1 Z AH0 L Z\n"
FAST = ("--vocoder", "griffinlim", "--steps", "1")
FEW = ("--set", "stages.0.steps=2", "--set", "stages.1.steps=1")


@pytest.fixture
def folder(tmp_path: Path, record) -> Path:
    record(tmp_path / "voice", TEXTS)
    lines = "\n".join(f"{name}|{text}" for name, text in TEXTS.items())
    (tmp_path / "voice" / "metadata.csv").write_text(lines, encoding="utf-8")
    return tmp_path / "voice"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine.txt").write_text(ENTRIES, encoding="utf-8")
    return tmp_path / "mine.txt"


def dataset(done, tmp_path, *arguments):
    outcome = done("prepare", *arguments, "--base", "none", "--json")
    return Store.open(tmp_path / "home").find(json.loads(outcome.out)["dataset"], "dataset")


def files(artifact):
    return {entry.path for entry in artifact.manifest.files}


def test_unknown_words_are_listed_and_can_be_filled_in(folder, command, tmp_path, done):
    outcome = done("prepare", folder, "--base", "none")
    assert "warning: 2 words are in no dictionary" in outcome.err
    assert "  zzyzxq (2), snizzles (1)" in outcome.err
    made = Store.open(tmp_path / "home").find("voice", "dataset")
    filled = made.path("unknown.txt").read_text(encoding="utf-8")
    assert [line.split()[0] for line in filled.splitlines() if line[0] != "#"] == ["zzyzxq", "snizzles"]
    assert Lexicon.parse(filled, "unknown.txt").knows("zzyzxq")
    again = dataset(command, tmp_path, folder, "--lexicon", made.path("unknown.txt"), "--strict")
    assert again.version == 2
    assert again.manifest.metrics["unknown_words"] == {}
    assert "unknown.txt" not in files(again)
    # The guesses were given back as they were, so that nothing is read otherwise.
    assert again.path("clips.jsonl").read_bytes() == made.path("clips.jsonl").read_bytes()


def test_many_unknown_words_do_not_flood(record, done, tmp_path):
    """At 80 columns, the first forty of them."""
    words = [f"{first}l{vowel}rpt{last}z" for first in "bgf" for vowel in "aeiou" for last in "aeo"]
    folder = tmp_path / "many"
    texts = {f"r{number:02}": " ".join(words[number : number + 5]) for number in range(0, len(words), 5)}
    record(folder, texts)
    lines = "\n".join(f"{name}|{text}" for name, text in texts.items())
    (folder / "metadata.csv").write_text(lines, encoding="utf-8")
    outcome = done("prepare", folder, "-q", "--base", "none")
    assert "45 words are in no dictionary" in outcome.err
    assert outcome.err.count("(1)") == 40
    assert "and 5 more" in " ".join(outcome.err.split())
    listed = outcome.err[outcome.err.index("45 words are in no dictionary") :]
    assert all(len(line) <= 80 for line in listed.splitlines()), listed


def test_the_lexicon_is_part_of_the_work(folder, mine, command, tmp_path):
    plain = dataset(command, tmp_path, folder)
    (tmp_path / "empty.txt").write_text("# nothing\n", encoding="utf-8")
    assert dataset(command, tmp_path, folder, "--lexicon", tmp_path / "empty.txt").version == 1
    assert "lexicon" not in plain.manifest.settings
    assert "lexicon.txt" not in files(plain)
    read = dataset(command, tmp_path, folder, "--lexicon", mine)
    assert read.version == 2
    assert read.manifest.settings["lexicon"] == Lexicon.read(mine).sha256
    assert Lexicon.read(read.path("lexicon.txt")) == Lexicon.read(mine)
    (tmp_path / "home" / "lexicon.txt").write_text("zzyzxq  Z UW1\nsun  S UW1 N\n", encoding="utf-8")
    stored = dataset(command, tmp_path, folder)
    assert stored.version == 3
    both = dataset(command, tmp_path, folder, "--lexicon", mine)
    entries = dict(Lexicon.read(both.path("lexicon.txt")).entries)
    assert entries["zzyzxq"] == ("Z", "IH1", "Z", "IH0", "K", "S")
    assert entries["sun"] == ("S", "UW1", "N")


def test_strict_refuses_before_any_work(folder, mine, refused, tmp_path):
    line = refused("prepare", folder, "--strict")
    assert "not in any dictionary: zzyzxq, snizzles. Add them to a lexicon" in line
    mine.write_text("zzyzxq  Z\n", encoding="utf-8")
    assert "not in any dictionary: snizzles." in refused("prepare", folder, "--strict", "--lexicon", mine)
    mine.write_text("zzyzxq  ZZ\n", encoding="utf-8")
    assert "mine.txt:1: ZZ is not a phone" in refused("prepare", folder, "--lexicon", mine)


def test_a_voice_brings_its_lexicon(furnished, folder, mine, done, steps, synthetic):
    done("prepare", folder, "--lexicon", mine, "--name", "spoken", "--base", "none", *synthetic)
    done("finetune", "--no-card", "--data", "spoken", "--base", "robots", *steps, *FEW)
    voice = furnished.find("spoken", "voice")
    assert voice.manifest.settings["lexicon"] == Lexicon.read(mine).sha256
    said = done("say", "Zzyzxq!", "--voice", "spoken", *FAST, "--strict", "--json")
    speech = furnished.find(json.loads(said.out)["speech"], "speech")
    assert speech.manifest.settings["lexicon"] == Lexicon.read(mine).sha256
    assert speech.manifest.metrics["unknown_words"] == []


def test_say_reads_with_the_given_lexicon(furnished, mine, command):
    plain = command("say", "Zzyzxq!", "--voice", "robot", *FAST, "--json")
    assert "pronunciation guessed: zzyzxq" in plain.err
    read = command("say", "Zzyzxq!", "--voice", "robot", *FAST, "--lexicon", mine, "--json")
    assert read.err.count("warning") == 0
    assert json.loads(read.out)["speech"] != json.loads(plain.out)["speech"]
    again = command("say", "Zzyzxq!", "--voice", "robot", *FAST, "--json")
    assert json.loads(again.out)["speech"] == json.loads(plain.out)["speech"]
    assert again.err.count("pronunciation guessed: zzyzxq") == 1


def test_say_strictly(furnished, done, refused):
    arguments = ("say", "Zzyzxq and blorp!", "--voice", "robot", *FAST)
    assert "not in any dictionary: zzyzxq, blorp." in refused(*arguments, "--strict")
    done(*arguments)
    assert "not in any dictionary: zzyzxq, blorp." in refused(*arguments, "--strict")  # though the speech is there
    assert "not all of it is phones: {HH AX}" in refused("say", "Say {HH AX}", "--voice", "robot", *FAST, "--strict")
