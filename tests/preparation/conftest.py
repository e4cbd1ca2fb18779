"""Three recordings in a list, and what `prepare` makes of a folder."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from voxgrad.store import Artifact, Store

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


def write_list(folder: Path, texts: Mapping[str, str], *more: str) -> None:
    lines = [*(f"{name}|{text}" for name, text in texts.items()), *more]
    (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")


def rows(dataset: Artifact, name: str) -> list[dict]:
    """Of a file of JSON lines."""
    return [json.loads(line) for line in dataset.path(name).read_text(encoding="utf-8").split("\n") if line]
