"""Datasets of real speech, where it is there."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from voxgrad.store import Artifact, Store

DATA = Path(__file__).parents[3] / "shared" / "data"
TEXTS = {"a": "The sun is warm.", "b": "Rain fell all day.", "c": "Two dogs ran home."}


@pytest.fixture
def folder(tmp_path: Path, record) -> Path:
    """Three recordings in a list."""
    record(tmp_path / "voice", TEXTS)
    write_list(tmp_path / "voice", TEXTS)
    return tmp_path / "voice"


@pytest.fixture
def prepare(tmp_path: Path, command, synthetic):
    """Prepares and gives the dataset; ``prepare.err`` is what was said."""

    def prepare(*arguments: object) -> Artifact:
        outcome = command("prepare", *arguments, *synthetic, "--json")
        assert outcome.code == 0, outcome.err
        prepare.err = outcome.err
        return Store.open(tmp_path / "home").find(json.loads(outcome.out)["dataset"], "dataset")

    return prepare


@pytest.fixture
def texts() -> dict[str, str]:
    return dict(TEXTS)


@pytest.fixture
def listed() -> Callable[[Path, dict[str, str]], None]:
    return write_list


def write_list(folder: Path, texts: dict[str, str]) -> None:
    lines = "\n".join(f"{name}|{text}" for name, text in texts.items())
    (folder / "metadata.csv").write_text(lines, encoding="utf-8")
