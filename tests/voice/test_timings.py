import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.text.plain import passages
from voxgrad.errors import BadInputError
from voxgrad.settings import TextSpec
from voxgrad.training.alignment import read_tier
from voxgrad.voice.timings import TimedPassage, read_timings, timed, timings_file

SECONDS_PER_FRAME = 0.01


@pytest.fixture
def spoken() -> list[TimedPassage]:
    """Two passages, of ten frames a token."""
    found, start = [], 0.0
    for passage in passages(["Dr. Smith paid $5 and left. <Now> he rests."], TextSpec()):
        borders = [10 * SECONDS_PER_FRAME * token for token in range(len(passage.encoded.tokens) + 1)]
        found.append(timed(passage, borders, start))
        start = found[-1].stop + 0.5
    return found


def test_words_and_phones_follow_each_other(spoken):
    assert " ".join(word.word for word in spoken[0].words) == "doctor smith paid five dollars and left"
    assert [word.written for word in spoken[0].words][:4] == ["Dr.", "Smith", "paid", "$5"]
    assert spoken[1].start == pytest.approx(spoken[0].stop + 0.5)
    for passage in spoken:
        borders = [border for word in passage.words for border in (word.start, word.stop)]
        assert borders == sorted(borders)
        assert passage.start <= borders[0] < borders[-1] <= passage.stop
        for word in passage.words:
            assert word.phones[0].start == word.start
            assert word.phones[-1].stop == word.stop
            assert all(a.stop == b.start for a, b in pairwise(word.phones))
            assert "_" not in [phone.phone for phone in word.phones]


def test_json_can_be_read_back(spoken, tmp_path: Path):
    timings_file(tmp_path / "a.json").write(spoken, 9.0)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text)[0]["words"][0]["phones"][0]["phone"] == "D"
    assert read_timings(text) == spoken


def test_srt_has_a_cue_for_every_passage(spoken, tmp_path: Path):
    timings_file(tmp_path / "a.srt").write(spoken, 9.0)
    cues = (tmp_path / "a.srt").read_text(encoding="utf-8").split("\n\n")
    number, times, *lines = cues[0].splitlines()
    assert number == "1"
    assert times.startswith("00:00:00,000 --> 00:00:0")
    assert " ".join(lines) == "Dr. Smith paid $5 and left."
    assert cues[1].splitlines()[0] == "2"
    assert all(len(line) <= 42 for line in lines)


def test_vtt_has_a_time_before_every_word(spoken, tmp_path: Path):
    timings_file(tmp_path / "a.vtt").write(spoken, 9.0)
    head, first, second = (tmp_path / "a.vtt").read_text(encoding="utf-8").strip().split("\n\n")
    assert head == "WEBVTT"
    assert ">$5 <" in first
    assert first.count("<00:") == 6
    assert "&lt;Now&gt;" in second


def test_a_text_grid_has_both_tiers_without_a_gap(spoken, tmp_path: Path):
    timings_file(tmp_path / "a.TextGrid").write(spoken, 99.0)
    for name in ("words", "phones"):
        tier = read_tier(tmp_path / "a.TextGrid", name)
        assert tier[0].start == 0
        assert tier[-1].stop == 99.0
        assert all(a.stop == b.start for a, b in pairwise(tier))
    said = [interval.label for interval in read_tier(tmp_path / "a.TextGrid", "words") if interval.label]
    assert said == [word.word for passage in spoken for word in passage.words]


def test_the_form_is_the_ending_or_the_bare_name():
    kinds = {"a.srt": "srt", "b.VTT": "vtt", "c.textgrid": "TextGrid", "./d.json": "json", "srt": "srt"}
    assert {name: timings_file(Path(name)).kind for name in kinds} == kinds
    assert timings_file(Path("srt"), Path("x/a.wav")).path == Path("x/a.srt")
    with pytest.raises(BadInputError, match="the folder x does not exist"):
        timings_file(Path("x/d.json"))
    for name in ("a.txt", "a", ".srt2"):
        with pytest.raises(BadInputError, match="does not have an ending for timings"):
            timings_file(Path(name))
