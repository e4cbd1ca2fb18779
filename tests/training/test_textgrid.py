"""TextGrids: Praat reads what is written, and what comes back is the alignment that went out."""

from dataclasses import replace
from itertools import accumulate, pairwise

import parselmouth
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from parselmouth.praat import call

from voxgrad.errors import BadInputError
from voxgrad.settings import MelSpec, TextSpec
from voxgrad.text.tokens import encode
from voxgrad.textgrid import Interval, text_grid
from voxgrad.training.alignment import (
    SUFFIX,
    clip_grid,
    grids_digest,
    read_durations,
    read_tier,
    whole_frames,
    word_spans,
)
from voxgrad.training.dataset import Clip

SECOND = MelSpec().seconds_per_frame
TEXT = "Well, the sun is warm."


def clip(text=TEXT, frames=120, name="c0"):
    encoded = encode(text, TextSpec())
    seconds = round(frames * SECOND + 0.004, 4)  # a recording ends somewhere after its last frame
    return Clip(name, text, encoded.normalised, encoded.tokens, "ann", frames, seconds)


def words(text=TEXT):
    return [(word.word, word.start, word.stop) for word in encode(text, TextSpec()).words]


def durations_of(one, seed=0):
    free = one.frames - len(one.tokens)
    cuts = torch.randint(0, free + 1, (len(one.tokens) - 1,), generator=torch.Generator().manual_seed(seed))
    borders = [0, *sorted(cuts.tolist()), free]
    return [1 + b - a for a, b in pairwise(borders)]


def write(folder, one, durations):
    folder.mkdir(exist_ok=True)
    path = folder / f"{one.id}{SUFFIX}"
    path.write_text(clip_grid(one, durations, words(one.text), SECOND), encoding="utf-8")
    return path


def tier(grid, number):
    count = int(call(grid, "Get number of intervals", number))
    return [
        (
            call(grid, "Get start time of interval", number, index),
            call(grid, "Get end time of interval", number, index),
            call(grid, "Get label of interval", number, index),
        )
        for index in range(1, count + 1)
    ]


def test_praat_reads_tiers_labels_and_borders(tmp_path):
    one = clip()
    durations = durations_of(one)
    grid = parselmouth.read(str(write(tmp_path, one, durations)))
    assert isinstance(grid, parselmouth.TextGrid)
    assert grid.xmax == pytest.approx(one.seconds)
    assert int(call(grid, "Get number of tiers")) == 2
    assert [call(grid, "Get tier name", number) for number in (1, 2)] == ["words", "phones"]
    for number in (1, 2):
        intervals = tier(grid, number)
        assert intervals[0][0] == 0
        assert intervals[-1][1] == pytest.approx(one.seconds)
        assert all(start < stop for start, stop, _ in intervals)
        assert all(before[1] == after[0] for before, after in pairwise(intervals))
    assert [label for *_, label in tier(grid, 1) if label] == ["well", "the", "sun", "is", "warm"]
    assert [label for *_, label in tier(grid, 2) if label] == (
        ["W", "EH1", "L", ",", "DH", "AH0", "S", "AH1", "N", "IH1", "Z", "W", "AO1", "R", "M", "."]
    )
    border = [frame * SECOND for frame in accumulate(durations, initial=0)]
    assert [start for start, *_ in tier(grid, 2)] == pytest.approx(border[:-1], abs=1e-5)
    sun = next(interval for interval in tier(grid, 1) if interval[2] == "sun")
    _, start, stop = words()[2]
    assert sun[:2] == pytest.approx((border[start], border[stop]), abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_durations_come_back_exactly(tmp_path, seed):
    one = clip(frames=90 + 17 * seed)
    durations = durations_of(one, seed)
    write(tmp_path, one, durations)
    found = read_durations(tmp_path, [one], SECOND)
    assert found[one.id].dtype == torch.int64
    assert found[one.id].tolist() == durations


@pytest.mark.parametrize("preference", ["UTF-8", "UTF-16"])
def test_durations_come_back_from_what_praat_has_saved(tmp_path, preference):
    one = clip("The naïve sun.", 80)
    durations = durations_of(one)
    path = write(tmp_path, one, durations)
    grid = parselmouth.read(str(path))
    call("Text writing preferences", preference)
    call(grid, "Save as text file", str(path))
    call("Text writing preferences", "try ASCII, then UTF-16")
    assert read_durations(tmp_path, [one], SECOND)[one.id].tolist() == durations


def test_a_border_that_was_moved_moves_frames(tmp_path):
    one = clip()
    durations = durations_of(one)
    path = write(tmp_path, one, durations)
    moved = [interval.stop for interval in read_tier(path, "phones")]
    long = max(range(len(durations) - 1), key=durations.__getitem__)
    border = moved[long] - 2.3 * SECOND
    text = path.read_text().replace(f"xmax = {moved[long]}\n", f"xmax = {border}\n")
    path.write_text(text.replace(f"xmin = {moved[long]}\n", f"xmin = {border}\n"))
    durations[long] -= 2
    durations[long + 1] += 2
    assert read_durations(tmp_path, [one], SECOND)[one.id].tolist() == durations


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-5, 60), min_size=0, max_size=20), st.integers(0, 40))
def test_every_token_gets_a_frame_wherever_borders_lie(borders, spare):
    frames = len(borders) + 1 + spare
    found = whole_frames(sorted(borders), frames)
    assert len(found) == len(borders) + 1
    assert int(found.sum()) == frames
    assert int(found.min()) >= 1


def test_borders_go_to_the_nearest_frame():
    assert whole_frames([2.4, 7.6], 10).tolist() == [2, 6, 2]


def changed(path, old, new, count=1):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, count), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('"AH1"', '"AH0"', "its phone 20 is 'AH0', but that of the clip is 'AH1'"),
        ('"EH1"', '""', "its phone 4 is empty, but that of the clip is 'EH1'"),
        ('name = "phones"', 'name = "phone"', "has no tier"),
    ],
)
def test_a_grid_of_other_phones_is_refused(tmp_path, old, new, word):
    one = clip()
    changed(write(tmp_path, one, durations_of(one)), old, new)
    with pytest.raises(BadInputError) as refusal:
        read_durations(tmp_path, [one], SECOND)
    assert word in refusal.value.message
    assert "c0.TextGrid" in refusal.value.message


def test_intervals_must_follow_one_another(tmp_path):
    one = clip("Oh.", 30)
    path = write(tmp_path, one, durations_of(one))
    second = read_tier(path, "phones")[1]
    start = path.read_text().rindex(f"xmin = {second.start}\n")
    text = path.read_text()
    path.write_text(text[:start] + f"xmin = {second.start + 0.05}\n" + text[start:].partition("\n")[2])
    with pytest.raises(BadInputError, match="are not contiguous"):
        read_durations(tmp_path, [one], SECOND)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (clip(name="c1"), r"there is no TextGrid .*c1\.TextGrid"),
        (clip(f"{TEXT} Yes."), "it has .* phones, but the clip"),
        (replace(clip(), frames=140, seconds=1.629), r"ends at 1\.397 s, but clip c0 ends at 1\.629 s"),
    ],
)
def test_a_grid_that_is_missing_or_of_another_length_or_text_is_named(tmp_path, wanted, message):
    write(tmp_path, clip(), durations_of(clip()))
    with pytest.raises(BadInputError, match=message):
        read_durations(tmp_path, [wanted], SECOND)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\xff\xff\xff", b"nothing", b"\x00" * 100])
def test_what_is_no_grid_is_refused(tmp_path, content):
    (tmp_path / f"c0{SUFFIX}").write_bytes(content)
    with pytest.raises(BadInputError, match=r"c0\.TextGrid"):
        read_durations(tmp_path, [clip()], SECOND)


def test_labels_may_quote(tmp_path):
    label = 'say "xmin = 3" and class = "IntervalTier" name = "phones"'
    path = tmp_path / f"c0{SUFFIX}"
    intervals = [Interval(0.0, 0.5, label), Interval(0.5, 1.0, "Ünï")]
    path.write_text(text_grid({"words": intervals, "phones": intervals[::-1]}, 1.0), encoding="utf-8")
    assert read_tier(path, "words") == intervals
    grid = parselmouth.read(str(path))
    assert call(grid, "Get label of interval", 1, 1) == label


@pytest.mark.parametrize("text", [TEXT, "A well-known U.S. author's 21 books?", "{AH0} b."])
def test_words_are_found_in_tokens_alone(text):
    assert word_spans(encode(text, TextSpec()).tokens) == [tuple(span) for _, *span in words(text)]
    bare = encode(text, TextSpec(add_blank=False))
    assert word_spans(bare.tokens) == [(word.start, word.stop) for word in bare.words]


def test_a_digest_depends_on_what_grids_say_and_not_on_where_they_lie(tmp_path):
    one = clip()
    for name in ("a", "b"):
        write(tmp_path / name, one, durations_of(one))
    assert grids_digest(tmp_path / "a") == grids_digest(tmp_path / "b")
    write(tmp_path / "b", one, durations_of(one, 1))
    assert grids_digest(tmp_path / "a") != grids_digest(tmp_path / "b")
    with pytest.raises(BadInputError, match="contains no TextGrids"):
        grids_digest(tmp_path)
