"""What this release wrote must open for ever; what later ones write is read, or refused in one line."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from voxgrad.cli.main import main
from voxgrad.events import ignore
from voxgrad.store import Artifact, Lineage, Store, canonical_json
from voxgrad.store import manifest as manifest_module
from voxgrad.store.archive import LIMIT, import_archive
from voxgrad.store.maintenance import verify
from voxgrad.store.manifest import NewerSchemaError

GOLDEN = Path(__file__).parent / "golden" / "schema-1.0"
DIGESTS = {
    "base robots@v1": "48bb7c0f437b3f8209e344e1433fff9c2a7c59aad418f110622fab58cf40192c",
    "dataset robot@v1": "15ee14ef7cb9f18e787a7d07a7118534738f2ffbb2adda1404ecbcf202de0deb",
    "speech robot@v1": "494161d5116996a90eee76d985b757550e62cbb9e5642cc9271e58905d96737c",
    "vocoder hifi@v1": "826150c48b33c65918ab09c0b43a5feb3a1c31a39346b83e4892acc0754250e4",
    "voice robot@v1": "0b336cde0e54662abe3eee1c9e7ac039dd36673a649d36d648ccf760a8b62eb1",
}


@pytest.fixture
def golden(tmp_path: Path, monkeypatch) -> Store:
    """A copy, for the committed one is never written."""
    shutil.copytree(GOLDEN / "home", tmp_path / "home")
    monkeypatch.setenv("VOXGRAD_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return Store.open(tmp_path / "home")


def own(store: Store) -> list[Artifact]:
    return [one for one in store.list() if not one.embedded]


def test_the_golden_store_opens_whole_with_the_digests_that_were_written_down(golden: Store):
    assert {str(one): one.digest for one in own(golden)} == DIGESTS
    lineage = Lineage.of(golden)
    assert verify(lineage, lineage.everything, full=True, emit=ignore) == ()
    assert len(lineage.ancestors(golden.find("speech/robot"))) == 4
    for one in own(golden):
        assert (one.directory / "manifest.json").read_bytes() == one.manifest.to_bytes()


def test_its_voice_still_speaks(golden: Store, contents):
    before = contents(golden.home)
    say = [
        "say",
        "Good day.",
        "-o",
        "out.wav",
        "--voice",
        "voice/robot",
        "--vocoder",
        "hifi",
        "--steps",
        "1",
        "-q",
    ]
    assert main(say) == 0
    assert Path("out.wav").stat().st_size > 1000
    after = contents(golden.home)
    assert {path: after[path] for path in before} == before


@pytest.mark.slow
def test_its_base_is_still_adapted(golden: Store, contents):
    before = contents(golden.home)
    few = ("--set", "stages.0.steps=1", "--set", "stages.1.steps=1", "--set", "precision=float32")
    tune = [
        "finetune",
        "--data",
        "robot",
        "--base",
        "robots",
        "--name",
        "new",
        "--preset",
        "tiny",
        *few,
        "-q",
    ]
    assert main(tune) == 0
    after = contents(golden.home)
    assert {path: after[path] for path in before} == before


def test_its_archive_is_still_taken_in(tmp_path: Path):
    store = Store(tmp_path / "home")
    (arrival,) = import_archive(store, GOLDEN / "speech.voxgrad", name=None, limit=LIMIT, emit=ignore)
    assert arrival.artifact.digest == DIGESTS["speech robot@v1"]


def as_of(artifact: Artifact, overwrite, **changes: object) -> None:
    """Has another version of voxgrad have written an artifact."""
    path = artifact.directory / "manifest.json"
    content = canonical_json({**json.loads(path.read_bytes()), **changes})
    overwrite(path, content)
    line = f"{sha256(content).hexdigest()}  manifest.json\n"
    overwrite(artifact.directory / "manifest.sha256", line.encode())


def test_a_newer_minor_version_is_read_and_its_fields_travel(
    golden: Store, overwrite, tmp_path: Path, capsys
):
    speech = golden.find("speech/robot")
    files = [{**entry.model_dump(), "packing": "none"} for entry in speech.manifest.files]
    as_of(speech, overwrite, schema_version="1.9", watermark={"bits": 16}, files=files)
    overwrite(golden.home / "store.json", b'{"schema_version": "1.9", "colour": "blue"}')
    assert main(["show", "speech/robot", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["manifest"]["watermark"] == {"bits": 16}
    assert main(["export", "speech/robot", "-o", "out.voxgrad", "-q"]) == 0
    assert main(["import", "out.voxgrad", "--name", "renamed", "-q"]) == 0
    renamed = golden.find("renamed").manifest
    assert (renamed.schema_version, renamed.to_bytes().count(b"watermark")) == ("1.9", 1)
    assert renamed.to_bytes().count(b"packing") == len(files)
    assert (golden.home / "store.json").read_bytes() == b'{"schema_version": "1.9", "colour": "blue"}'


def test_a_newer_major_version_is_one_line_and_the_rest_still_works(golden: Store, overwrite, capsys):
    as_of(golden.find("voice/robot"), overwrite, schema_version="2.0", files="another form")
    assert main(["show", "voice/robot"]) == 3
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "schema 2.0, newer than this voxgrad reads. Upgrade voxgrad." in err
    assert main(["say", "Hello.", "--voice", "voice/robot"]) == 3
    assert main(["gc"]) == 3
    capsys.readouterr()
    assert main(["ls"]) == 0
    listed = capsys.readouterr().out
    assert "newer" in listed
    assert "damaged" not in listed
    assert main(["ls", "--tree"]) == 0
    assert "voice robot@v1, newer" in capsys.readouterr().out
    assert main(["show", "dataset/robot"]) == 0


def test_a_store_of_a_newer_major_version_can_still_be_listed(golden: Store, overwrite, capsys):
    overwrite(golden.home / "store.json", b'{"schema_version": "2.0"}')
    assert main(["show", "voice/robot"]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["ls"]) == 0
    assert "robots@v1" in capsys.readouterr().out


def test_an_older_major_version_is_upgraded_in_memory_only(golden: Store, contents, monkeypatch):
    """As the next major release will do it: what is 1.0 today is then old."""

    def upgrade(value: dict) -> dict:
        return {**value, "schema_version": "2.0", "licence": f"{value['licence']}, as 1.x had it"}

    before = contents(golden.home)
    monkeypatch.setattr(manifest_module, "SCHEMA_VERSION", "2.0")
    monkeypatch.setattr(manifest_module, "UPGRADES", {1: upgrade})
    vocoder = golden.find("hifi")
    assert vocoder.manifest.schema_version == "2.0"
    assert vocoder.manifest.licence == "CC0-1.0, as 1.x had it"
    assert {str(one): one.digest for one in own(golden)} == DIGESTS
    assert contents(golden.home) == before
    monkeypatch.setattr(manifest_module, "SCHEMA_VERSION", "1.0")
    with pytest.raises(NewerSchemaError):
        manifest_module.check_schema("2.0", "it")
