"""The symbol table is the one that the official checkpoints index."""

import json
from pathlib import Path

from voxgrad.text.symbols import BLANK, CHARACTER_IDS, PHONE_IDS, SYMBOLS, VOCABULARY_SIZE

GOLDEN = Path(__file__).parents[1] / "reference" / "text_ids_subset.json"


def test_table_is_the_official_one():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert list(SYMBOLS) == golden["symbols"]
    assert golden["blank_id"] == BLANK == VOCABULARY_SIZE - 1 == 148


def test_phones_and_characters_point_into_the_table():
    assert all(SYMBOLS[index] == f"@{phone}" for phone, index in PHONE_IDS.items())
    assert all(SYMBOLS[index] == character for character, index in CHARACTER_IDS.items())
    assert "_" not in CHARACTER_IDS  # the checkpoints never saw it
