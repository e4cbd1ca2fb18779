"""The forms of lists that other programs write, recognised and read."""

import pytest

from voxgrad.text.transcript_formats import BadRow, Row, recognise, rows

LISTS = {
    "ljspeech": (
        "a|It costs 5.|It costs five.\nb|Beta is here.|Beta is here.\n",
        ("a", "It costs five.", None),
    ),
    "paths": ("one/a.wav|Alpha.|ann\nb.flac|Beta.|bob\n", ("one/a.wav", "Alpha.", "ann")),
    "piper": ("a|ann|Alpha was here.\nb|ann|Beta was here.\nc|ann|Gamma.\n", ("a", "Alpha was here.", "ann")),
    "f5": ("audio_file|text\nwavs/a.wav|Alpha.\n", ("wavs/a.wav", "Alpha.", None)),
    "gpt-sovits": ("out/a.wav|ann|en|Alpha.\nout/b.wav|ann|EN|Beta.\n", ("out/a.wav", "Alpha.", "ann")),
    "jsonl": ('{"audio": "a.wav", "text": "Alpha.", "speaker": "ann"}\n', ("a.wav", "Alpha.", "ann")),
}


@pytest.mark.parametrize("form", LISTS)
def test_each_form_is_recognised_and_read(form: str):
    content, expected = LISTS[form]
    assert recognise(content, "metadata.csv") == form
    first = next(rows(content, form))
    assert isinstance(first, Row)
    assert (first.name, first.text, first.speaker) == expected


@pytest.mark.parametrize(
    ("form", "line", "reason"),
    [
        ("gpt-sovits", "a.wav|ann|zh|Text.", "is in zh, and voxgrad reads English"),
        ("gpt-sovits", "a.wav|ann|Text.", "is not GPT-SoVITS's"),
        ("f5", "a.wav|Text.|more", "is not F5's"),
        ("piper", "a|b|c|d", "is not Piper's"),
        ("jsonl", "{", "is no JSON"),
        ("jsonl", "[1, 2]", "has no audio and text"),
        ("jsonl", '{"audio": 3, "text": "Text."}', "has no audio and text"),
        ("ljspeech", "alone", "is not `name|text`"),
    ],
)
def test_a_bad_line_is_told_of_with_its_number(form: str, line: str, reason: str):
    (bad,) = rows(f"\n{line}\n", form)
    assert isinstance(bad, BadRow)
    assert (bad.line, reason in bad.reason) == (2, True)
