"""`voxgrad g2p`: the table, the JSON, and what is refused."""

import io
import json
from pathlib import Path

import pytest


def words(outcome):
    return {word["word"]: word for word in json.loads(outcome.out)["words"]}


def test_every_source_is_told(done, tmp_path):
    (tmp_path / "mine.txt").write_text("snizzle  S N IH Z AH L\n", encoding="utf-8")
    text = "They object: snizzle {HH AH L OW} blorp's housemaid 😀 costs the PRS $5."
    outcome = done("g2p", text, "--lexicon", "mine.txt", "--json")
    assert outcome.err == ""
    assert outcome.out.count("\n") == 1
    found = words(outcome)
    assert {word: entry["source"] for word, entry in found.items()} == {
        "they": "dictionary",
        "object": "homograph",
        "snizzle": "lexicon",
        "{HH AH L OW}": "inline",
        "blorp's": "network",
        "housemaid": "derived",
        "costs": "dictionary",
        "the": "dictionary",
        "PRS": "spelt",
        "five": "dictionary",
        "dollars": "dictionary",
    }
    assert found["object"]["sense"] == "verb"
    assert found["snizzle"]["phones"] == ["S", "N", "IH1", "Z", "AH0", "L"]
    assert (found["five"]["written"], found["dollars"]["written"]) == ("$5.", "")
    answer = json.loads(outcome.out)
    assert (answer["unknown"], answer["dropped"], answer["frontend"]) == (["blorp's"], ["😀"], "voxgrad")
    assert answer["normalised"].endswith("five dollars.")
    assert len(answer["tokens"]) > 40


def test_the_table_can_be_read(done):
    outcome = done("g2p", "They object to blorptastic 😀 objects.")
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["written", "read", "phones", "source"]
    assert lines[2].split() == ["object", "object", "AH0", "B", "JH", "EH1", "K", "T", "homograph:", "verb"]
    assert "in no dictionary: blorptastic" in outcome.out
    assert "not read: 😀" in outcome.out


def test_the_official_reading(command):
    found = words(command("g2p", "A cat, blorptastic", "--text-frontend", "official", "--json"))
    assert {word: entry["source"] for word, entry in found.items()} == {
        "a": "dictionary",
        "cat,": "letters",
        "blorptastic": "letters",
    }


def test_the_stores_own_lexicon_counts_and_the_given_one_more(command, home):
    home.mkdir()
    (home / "lexicon.txt").write_text("snizzle  S N IH1 Z\nblorp  B L AO1 R P\n", encoding="utf-8")
    Path("mine.txt").write_text("snizzle  S N UW1 Z\n", encoding="utf-8")
    found = words(command("g2p", "snizzle blorp", "--lexicon", "mine.txt", "--json", "--strict"))
    assert [entry["phones"] for entry in found.values()] == [["S", "N", "UW1", "Z"], ["B", "L", "AO1", "R", "P"]]


def test_a_dash_reads_standard_input(command, monkeypatch):
    for content, read in (
        (b"Two\nlines.", ["two", "lines"]),
        (b"caf\xe9\ntwo", ["cafe", "two"]),
        ("Two\ncafé".encode("utf-16"), ["two", "cafe"]),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
        assert list(words(command("g2p", "-", "--json"))) == read
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\x7fELF\1\2\1\3")))
    outcome = command("g2p", "-")
    assert (outcome.code, outcome.err.partition(".")[0]) == (
        2,
        "error: standard input is not text in UTF-8, UTF-16 or Latin-1",
    )


def test_a_text_may_begin_with_a_dash(command, refused):
    for text, read in {
        "-5 degrees today": ["minus", "five", "degrees", "today"],
        "- a list": ["a", "list"],
        "-2": ["minus", "two"],
    }.items():
        outcome = command("g2p", text, "--json")
        assert list(words(outcome)) == read
    assert "No such option: --stric (Possible options: --strict)" in refused("g2p", "Hello.", "--stric")
    assert "No such option: -s." in refused("g2p", "Hello.", "-s")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["A blorptastic cat.", "--strict"], "not in any dictionary: blorptastic. Add them to a lexicon"),
        (["A blorptastic.", "--strict", "--text-frontend", "official"], "not in any dictionary: blorptastic"),
        (["Say {HH AX0}.", "--strict"], "read as text, because not all of it is phones: {HH AX0}. Leave it out"),
        (["Say 你好.", "--strict"], "not read: 你好 (Chinese). Leave it out"),
        (["Hello.", "--lexicon", "nowhere.txt"], "the lexicon nowhere.txt cannot be read"),
        (["Hello.", "--lexicon", "bad.txt"], "bad.txt:2: QQ is not a phone"),
        (["..."], "no words to speak"),
        (["caf\udce9"], "the text is not UTF-8. Set the terminal"),
        (["Привет"], "no words to speak, only Cyrillic letters"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(arguments, complaint, refused):
    Path("bad.txt").write_text("good  G\nbad QQ\n", encoding="utf-8")
    assert complaint in refused("g2p", *arguments)


def test_a_bad_lexicon_in_the_store_is_refused_by_name(done, home):
    home.mkdir()
    (home / "lexicon.txt").write_text("word\n", encoding="utf-8")
    outcome = done("g2p", "Hello.", code=2)
    assert "lexicon.txt:1: word has no phones" in outcome.err
