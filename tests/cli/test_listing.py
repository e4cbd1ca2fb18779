import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from voxgrad.cli.store import entries_table
from voxgrad.store import Artifact, Store


@pytest.fixture(autouse=True)
def nothing_embedded(tmp_path: Path, monkeypatch) -> None:
    """What comes with the package would show in every list."""
    monkeypatch.setattr("voxgrad.store.store.EMBEDDED", tmp_path / "none")


def test_ls_is_a_table_and_marks_the_damaged(alice: Artifact, home: Path, done):
    path = home / "artifacts" / "base" / "narrator" / "v1" / "manifest.sha256"
    path.chmod(0o644)
    path.write_text("nonsense")
    lines = done("ls").out.splitlines()
    assert lines[0].split() == ["kind", "ref", "created", "size", "from"]
    created = alice.manifest.created[:16].split("T")
    assert lines[3].split() == ["voice", "alice@v1", *created, "1.5", "kB", "narrator@v1,", "lj@v1"]
    assert lines[1].split()[:3] == ["base", "narrator@v1", "damaged"]
    told = json.loads(done("ls", "--json").out)["artifacts"]
    assert [one["damaged"] is None for one in told] == [False, True, True]
    assert told[2]["parents"] == {"base": "narrator@v1", "dataset": "lj@v1"}


def test_ls_fits_eighty_columns(publish, home: Path, alice: Artifact):
    publish(home, "voice", "x" * 64, {"base": alice})
    console = Console(width=80, file=open(os.devnull, "w"), record=True)  # noqa: SIM115, PTH123
    console.print(entries_table(Store(home).scan()))
    console.file.close()
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "alice@v1" in text


def test_an_empty_store_says_so(home: Path, done):
    assert done("ls").out == f"Nothing yet in {home}\n"
    assert json.loads(done("ls", "--json").out) == {"home": str(home), "artifacts": []}
    assert not home.exists()


def test_show_tells_all_of_it(alice: Artifact, done):
    text = done("show", "alice").out
    for part in ("voice alice@v1", alice.digest, "loss", "0.123457", "mel.n_fft", "1024", "part000.bin", "1.5 kB"):
        assert part in text
    tree = [line.strip(" │├└─") for line in text[text.index("made from") :].splitlines()[1:]]
    assert tree == ["base: narrator@v1, 1.5 kB", "dataset: lj@v1, 1.5 kB", "dataset: lj@v1, 1.5 kB"]


def test_show_marks_parents_that_are_gone(alice: Artifact, home: Path, done):
    (home / "artifacts" / "base" / "narrator" / "v1").rename(home / "away")
    path = home / "artifacts" / "dataset" / "lj" / "v1" / "manifest.json"
    path.chmod(0o644)
    path.write_text("nonsense")
    text = done("show", "alice").out
    assert "base: narrator@v1 (missing)" in text
    assert "dataset: lj@v1 (damaged)" in text
    told = json.loads(done("show", "alice", "--json").out)
    assert [(one["role"], one["state"]) for one in told["lineage"]] == [("base", "missing"), ("dataset", "damaged")]
    assert told["manifest"]["parents"]["base"]["ref"] == "narrator@v1"
    done("show", "lj", code=3)


def test_show_does_not_flood_the_terminal_with_files(publish, home: Path, done):
    publish(home, "dataset", "large", files=30)
    text = done("show", "large").out
    assert "and 10 more" in text
    assert "part029.bin" not in text
    assert len(json.loads(done("show", "large", "--json").out)["manifest"]["files"]) == 30
