"""`voxgrad lexicon`: words are added as phones, IPA, or as they sound; everything spoken uses them."""

import json
import os
from pathlib import Path

import pytest

from voxgrad.errors import BadInputError
from voxgrad.text.lexicon import read_phones, to_phones


def home() -> Path:
    return Path(os.environ["VOXGRAD_HOME"])


@pytest.mark.parametrize(
    ("written", "phones"),
    [
        ("SH IH0 V AO1 N", "SH IH0 V AO1 N"),
        ("K AE T", "K AE1 T"),
        ("shi vawn", "SH IY1 V AO1 N"),
        ("shi VAWN", "SH IY0 V AO1 N"),
        ("win", "W IH1 N"),
        ("her-MY-oh-nee", "HH ER0 M AY1 OW0 N IY0"),
        ("/ʃɪˈvɔːn/", "SH IH0 V AO1 N"),
        ("/SI'vO:n/", "SH IH0 V AO1 N"),
        ("[ˈkæt]", "K AE1 T"),
        ("/ˈsɪərʃə/", "S IY1 AH0 R SH AH0"),
    ],
)
def test_what_a_pronunciation_means(written, phones):
    assert " ".join(read_phones(written)) == phones


@pytest.mark.parametrize("written", ["", "12", "a1", "/çø/", "//", "K AE1 XX 5", "ʃɪˈvɔːn"])
def test_what_is_no_pronunciation_is_refused(written):
    with pytest.raises(BadInputError):
        read_phones(written)


@pytest.mark.parametrize(
    ("transcription", "alphabet", "phones"),
    [
        ("ˈhɛloʊ", "ipa", "HH EH1 L OW0"),
        ("t͡ʃɜːt͡ʃ", "ipa", "CH ER1 CH"),
        ("dʒʌdʒ", "ipa", "JH AH1 JH"),
        ("ˈbʌtn̩", "ipa", "B AH1 T AH0 N"),
        ("ˌʌndɚˈstænd", "ipa", "AH2 N D ER0 S T AE1 N D"),
        ('h@"l@U', "x-sampa", "HH AH0 L OW1"),
        ("tS3:tS", "x-sampa", "CH ER1 CH"),
        ("k&t", "x-sampa", "K AE1 T"),
    ],
)
def test_transcriptions_are_mapped(transcription, alphabet, phones):
    assert " ".join(to_phones(transcription, alphabet)) == phones


def test_words_are_kept_listed_and_removed(command, refused, done):
    assert "No words" in command("lexicon", "list").out
    done("lexicon", "add", "Siobhan", "shi VAWN")
    done("lexicon", "add", "Nguyen", "W IH1 N", "--json")
    (home() / "lexicon.txt").open("a", encoding="utf-8").write("# mine\nqux  K AH1 K S  # a remark\n")
    done("lexicon", "add", "siobhan", "/ʃəˈvɔːn/")
    content = (home() / "lexicon.txt").read_text(encoding="utf-8")
    assert content == ("Nguyen  W IH1 N\n# mine\nqux  K AH1 K S  # a remark\nsiobhan  SH AH0 V AO1 N  # /ʃəˈvɔːn/\n")
    listed = json.loads(command("lexicon", "list", "--json").out)["words"]
    assert [one["word"] for one in listed] == ["nguyen", "qux", "siobhan"]
    assert json.loads(command("g2p", "Siobhan", "--json").out)["words"][0]["source"] == "lexicon"
    tried = json.loads(command("lexicon", "test", "Siobhan", "--json").out)
    assert tried["words"][0]["phones"] == ["SH", "AH0", "V", "AO1", "N"]
    tried = json.loads(command("lexicon", "test", "Siobhan", "shi vawn", "--json").out)
    assert tried["words"][0]["phones"] == ["SH", "IY1", "V", "AO1", "N"]
    done("lexicon", "remove", "Qux")
    assert "qux is not in lexicon.txt" in refused("lexicon", "remove", "qux")
    for word in ("two words", "#", "5", ""):
        assert "is not a word" in refused("lexicon", "add", word, "win")
    assert "is not a pronunciation" in refused("lexicon", "add", "a", "5 5")
    (home() / "lexicon.txt").write_text("broken\n", encoding="utf-8")
    assert "lexicon.txt:1" in refused("lexicon", "add", "word", "win")
    assert (home() / "lexicon.txt").read_text(encoding="utf-8") == "broken\n"


def test_a_word_is_spoken_as_it_was_added(done):
    said = ("say", "Qux fell.", "--voice", "english", "--vocoder", "kathleen", "--steps", "1", "--timings", "json")
    done("lexicon", "add", "qux", "kwiks")
    done(*said, "-o", "a.wav")
    word = json.loads(Path("a.json").read_text(encoding="utf-8"))[0]["words"][0]
    assert [phone["phone"] for phone in word["phones"]] == ["K", "W", "IH1", "K", "S"]
    done("lexicon", "test", "qux", "-o", "qux.wav", "--voice", "english")
    assert Path("qux.wav").stat().st_size > 1000


def test_words_of_other_languages(command, done, refused):
    assert done("lexicon", "add", "es:Xàtiva", "/ˈʃativa/").out == "es:Xàtiva  /ʃˈativa/\n"
    assert done("lexicon", "add", "fr:Leclerc", "le clair").out == "fr:Leclerc  /ləklˈɛʁ/\n"
    assert command("lexicon", "list").out.split() == ["es:xàtiva", "/ʃˈativa/", "fr:leclerc", "/ləklˈɛʁ/"]
    assert command("g2p", "--language", "es", "Xàtiva").out.splitlines()[-1].split()[-1] == "lexicon"
    assert command("lexicon", "test", "es:Xàtiva", "/ˈkasa/").out == "/kˈasa/  /kˈasa/  (inline)\n"
    assert "no language 'xx'" in refused("lexicon", "add", "xx:hola", "/ˈola/")
    done("lexicon", "remove", "ES:xàtiva")
    assert command("lexicon", "list").out.split() == ["fr:leclerc", "/ləklˈɛʁ/"]
