"""Pictures: PNG files of a plausible size, whatever the text says."""

import numpy as np
import pytest

from voxgrad import pictures
from voxgrad.settings import MelSpec

MEL = np.random.default_rng(0).normal(size=(80, 90)).astype(np.float32)


@pytest.fixture(autouse=True)
def really_drawn(pictures_drawn_once, monkeypatch):
    for name, draw in pictures_drawn_once.items():
        monkeypatch.setattr(pictures, name, draw)


def is_picture(path):
    content = path.read_bytes()
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    return content.startswith(b"\x89PNG") and 800 <= width <= 1000 and height >= 200 and len(content) > 5000


@pytest.mark.parametrize("title", ["A text.", "Costs $5, or $x^2$ more_or_less {so} \\frac", "long " * 100, ""])
def test_a_mel_with_its_text(tmp_path, title):
    pictures.draw_mel(tmp_path / "mel.png", MEL, MelSpec(), title)
    assert is_picture(tmp_path / "mel.png")
