"""What other versions of voxgrad wrote is read, or refused in one line."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from voxgrad.cli.main import main
from voxgrad.store import Artifact, Store, canonical_json


@pytest.fixture
def home(store: Store, family, monkeypatch) -> Path:
    monkeypatch.setenv("VOXGRAD_HOME", str(store.home))
    monkeypatch.chdir(store.home.parent)
    return store.home


def as_of(artifact: Artifact, overwrite, **changes: object) -> None:
    """Has another version of voxgrad have written an artifact."""
    path = artifact.directory / "manifest.json"
    content = canonical_json({**json.loads(path.read_bytes()), **changes})
    overwrite(path, content)
    line = f"{sha256(content).hexdigest()}  manifest.json\n"
    overwrite(artifact.directory / "manifest.sha256", line.encode())


def test_a_newer_minor_version_is_read_and_its_fields_travel(home: Path, family, store, overwrite, capsys):
    files = [{**entry.model_dump(), "packing": "none"} for entry in family.first.manifest.files]
    as_of(family.first, overwrite, schema_version="1.9", watermark={"bits": 16}, files=files)
    overwrite(home / "store.json", b'{"schema_version": "1.9", "colour": "blue"}')
    assert main(["show", "speech/alice@v1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["manifest"]["watermark"] == {"bits": 16}
    assert main(["export", "speech/alice@v1", "-o", "out.voxgrad", "-q"]) == 0
    assert main(["import", "out.voxgrad", "--name", "renamed", "-q"]) == 0
    renamed = store.find("renamed").manifest
    assert (renamed.schema_version, renamed.to_bytes().count(b"watermark")) == ("1.9", 1)
    assert renamed.to_bytes().count(b"packing") == len(files)
    assert (home / "store.json").read_bytes() == b'{"schema_version": "1.9", "colour": "blue"}'


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("2.0", "which is newer than this version of voxgrad supports. Upgrade voxgrad."),
        ("0.9", "which no release wrote"),
    ],
)
def test_another_major_version_is_one_line_and_the_rest_still_works(
    home: Path, family, overwrite, capsys, version, told
):
    as_of(family.voice, overwrite, schema_version=version, files="another form")
    assert main(["show", "voice/alice"]) == 3
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"schema {version}, {told}" in err
    assert main(["say", "Hello.", "--voice", "voice/alice"]) == 3
    assert main(["gc"]) == 3
    capsys.readouterr()
    assert main(["ls"]) == 0
    assert ("newer" in capsys.readouterr().out) == (version == "2.0")
    assert main(["show", "dataset/lj"]) == 0


def test_a_store_of_a_newer_major_version_can_still_be_listed(home: Path, overwrite, capsys):
    overwrite(home / "store.json", b'{"schema_version": "2.0"}')
    assert main(["show", "voice/alice"]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["ls"]) == 0
    assert "narrator@v1" in capsys.readouterr().out
