"""Pictures: well-formed, legible and whole, whatever the text and the figures are."""

import re

import numpy as np
import pytest
from defusedxml import ElementTree

from voxgrad import pictures, theme
from voxgrad.settings import MelSpec

MEL = np.random.default_rng(0).normal(size=(80, 230)).astype(np.float32)
SVG = "{http://www.w3.org/2000/svg}"
NONE = ([], [])


def drawn(picture):
    """A picture, read again, in which nothing is too small to read and nothing lies outside."""
    root = ElementTree.fromstring(picture)
    width, height = float(root.get("width")), float(root.get("height"))
    for text in root.iter(f"{SVG}text"):
        assert float(text.get("font-size")) >= 11
    for box in root.iter(f"{SVG}rect"):
        assert 0 <= float(box.get("x", 0)) <= float(box.get("x", 0)) + float(box.get("width")) <= width
        assert float(box.get("height")) >= 0
    assert "nan" not in picture
    assert height > 100
    return root


def texts(picture: str) -> list[str]:
    return [text.text for text in drawn(picture).iter(f"{SVG}text")]


@pytest.mark.parametrize("title", ["A text.", 'Costs $5 & <b>more</b> ]]> "so"', "long " * 100, ""])
def test_a_title_is_text_in_lines_that_fit(title):
    shown = texts(pictures.compared({"recording": MEL}, title))
    assert " ".join(shown[:-1]).startswith(title[:40].strip())
    assert all(len(line) <= 38 for line in shown)


def test_curves_have_one_colour_for_each_kind_and_a_label_where_there_is_data():
    measured, trained = ([0, 10, 20], [3.0, 2.0, 1.5]), (list(range(5000)), list(np.linspace(3, 1, 5000)))
    panels = {
        "loss": {"training": trained, "held out": NONE},
        "error": {"training": NONE, "held out": measured},
    }
    picture = pictures.curves(panels, "voice")
    assert texts(picture).count("training") == texts(picture).count("held out") == 1
    assert len(re.findall('class="first-line"', picture)) == len(re.findall('class="second-line"', picture)) == 1
    assert len(picture) < 20_000


@pytest.mark.parametrize("values", [[5.0], [2.0, 2.0, 2.0], [-1e-9, 1e-9], [1e6, 3e6]])
def test_few_or_equal_figures_are_drawn(values):
    drawn(pictures.curves({"loss": {"training": (list(range(len(values))), values), "held out": NONE}}, ""))
    drawn(pictures.joined_histograms({"clips": values, "nothing": []}, "clips", ""))


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (np.linspace(1.2, 9.8, 40), 1),
        (np.linspace(-24.6, -21.3, 31), 0.5),
        (np.linspace(178, 224, 31), 5),
        ([0.0, 1e5], 5e4),
    ],
)
def test_bins_have_round_edges_and_hold_everything(values, step):
    edges = pictures.bins(list(values))
    assert np.allclose(np.diff(edges), step)
    assert np.allclose(np.array(edges) / step, np.round(np.array(edges) / step))
    assert 1 <= len(edges) - 1 <= 31
    assert np.histogram(values, edges)[0].sum() == len(values)


def test_more_data_have_more_bins():
    drawn_from = np.random.default_rng(0)
    few, many = (pictures.bins(list(drawn_from.normal(size=count))) for count in (10, 10_000))
    assert len(few) < len(many) <= 31


def test_an_alignment_has_every_phone_once():
    phones = ["", "HH", "", "AH0", "L", "OW1", ""]
    picture = pictures.alignment(MEL, MEL, phones, [10, 40, 10, 50, 60, 50, 10], MelSpec(), "Hello.")
    assert [text for text in texts(picture) if text in phones] == ["HH", "AH0", "L", "OW1"]
    assert picture.count("<image") == 2 * 3


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("name", ["text", "quiet", "first", "second", "good", "fair", "bad"])
def test_text_can_be_read_in_light_and_dark_mode(mode, name):
    for ground in ("ground", "raised"):
        first, second = (luminance(theme.COLOURS[key][mode]) for key in (name, ground))
        assert (max(first, second) + 0.05) / (min(first, second) + 0.05) >= 4.5
