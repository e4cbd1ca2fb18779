"""Our run of g2p-en's network gives what the original's own ``predict`` gave."""

from pathlib import Path

import pytest

from voxgrad.errors import EnvironmentFailureError
from voxgrad.text.dictionary import package_file
from voxgrad.text.g2p_network import predict

LINES = Path(__file__).with_name("network_outputs.txt").read_text(encoding="ascii").splitlines()
ORIGINAL = {word: tuple(phones.split()) for word, _, phones in (line.partition(" ") for line in LINES)}


def test_equals_the_original():
    assert len(ORIGINAL) >= 60
    assert {word: predict(word) for word in ORIGINAL} == ORIGINAL


def test_the_list_holds_a_word_that_is_cut_off():
    assert max(len(phones) for phones in ORIGINAL.values()) == 20


def test_a_missing_package_is_said():
    with pytest.raises(EnvironmentFailureError, match="no_such_package"):
        package_file("no_such_package", "weights.npz")
    with pytest.raises(EnvironmentFailureError, match=r"no_such\.npz"):
        package_file("g2p_en", "no_such.npz")
