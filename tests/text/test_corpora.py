"""Every line of the shared corpora is encoded, in both modes."""

from pathlib import Path

import pytest

from voxgrad.settings import TextSpec
from voxgrad.text.tokens import encode, vocabulary_size

DATA = Path(__file__).parents[3] / "shared" / "data"
CORPORA = [
    ("kathleen/metadata.csv", 1),
    ("lj/metadata.csv", 1),
    ("lj/metadata.csv", 2),
    ("texts/ljspeech.txt", 0),
]


@pytest.mark.parametrize("frontend", ["voxgrad", "official"])
@pytest.mark.parametrize(("name", "column"), CORPORA)
def test_every_line_is_encoded(name, column, frontend):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"no {name} in ../shared/data")
    spec = TextSpec(frontend=frontend)
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.split("|")[column]
        encoded = encode(text, spec)
        assert all(0 < token < vocabulary_size for token in encoded.tokens), text
        assert all(word.phones for word in encoded.words), text
