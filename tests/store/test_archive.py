"""Archives: what is exported arrives complete."""

import os
import shutil
import stat

import pytest

from tests.store.archives import members_of, taken_in, written
from voxgrad.errors import BadInputError, EnvironmentFailureError, IntegrityError
from voxgrad.events import ignore
from voxgrad.store import Artifact, Lineage
from voxgrad.store.archive import export, is_archive
from voxgrad.store.maintenance import in_trash, remove


def test_the_manifest_comes_first_and_the_same_artifact_gives_the_same_archive(store, alice, tmp_path):
    assert list(members_of(alice)) == [
        f"voice/alice/v1/{name}" for name in ("manifest.json", "manifest.sha256", "model.bin", "pictures/loss.png")
    ]
    export([store.find("alice")], tmp_path / "again.voxgrad", ignore)
    assert (tmp_path / "again.voxgrad").read_bytes() == alice.read_bytes()


def test_what_arrives_is_what_was_given_away(store, other, family, lineage, contents):
    before = contents(store.home)
    arrivals = taken_in(other, lineage)
    assert arrivals[0].artifact.digest == family.first.digest
    assert all(one.new and one.was == one.artifact.ref for one in arrivals)
    after = contents(other.home)
    assert after == {path: content for path, content in before.items() if "speech/alice/v2" not in path}
    modes = [path.stat().st_mode for path in (other.home / "artifacts").rglob("*") if path.is_file()]
    assert not any(mode & stat.S_IWUSR for mode in modes)
    assert not any((other.home / "tmp").iterdir())
    again = taken_in(other, lineage)
    assert not any(one.new for one in again)
    assert contents(other.home) == after


def test_a_taken_number_gives_way_and_children_follow(store, other, lineage, publish):
    publish("lj", kind="dataset", where=other, content=b"another")
    arrivals = {one.artifact.kind: one.artifact for one in taken_in(other, lineage)}
    assert {kind: one.ref for kind, one in arrivals.items()} == {
        "dataset": "lj@v2",
        "base": "narrator@v1",
        "voice": "alice@v1",
        "speech": "alice@v1",
    }
    assert arrivals["base"].parent("dataset") == arrivals["dataset"].as_parent()
    assert len(Lineage(other).ancestors(arrivals["speech"])) == 3
    assert not any(one.new for one in taken_in(other, lineage))
    assert len(other.list()) == 5


def test_another_name_can_be_given(other, alice):
    (arrival,) = taken_in(other, alice, name="bob")
    assert (arrival.artifact.ref, arrival.was) == ("bob@v1", "bob@v1")
    assert not taken_in(other, alice, name="bob")[0].new
    assert taken_in(other, alice)[0].artifact.ref == "alice@v1"
    with pytest.raises(BadInputError, match="cannot be a name"):
        taken_in(other, alice, name="../bob")


def test_a_whole_copy_takes_the_place_of_a_damaged_one(store, family, lineage, overwrite):
    overwrite(family.base.directory / "model.bin", b"rotten!")
    overwrite(family.dataset.directory / "manifest.json", b"{}")
    overwrite(family.voice.directory / "manifest.sha256", b"rotten")
    arrivals = {one.artifact.kind: one for one in taken_in(store, lineage)}
    assert {kind: one.new for kind, one in arrivals.items()} == {
        "speech": False,
        "voice": True,
        "base": True,
        "dataset": True,
    }
    assert all(isinstance(one, Artifact) and not list(one.problems(full=True)) for one in store.scan())
    assert store.find("lj").digest == family.dataset.digest
    assert sorted(str(one.location) for one in in_trash(store)) == [
        "base narrator@v1",
        "dataset lj@v1",
        "voice alice@v1",
    ]


def test_what_was_removed_can_be_imported_again_under_its_number(store, alice, publish):
    remove(store, store.find("alice"))
    (arrival,) = taken_in(store, alice)
    assert (arrival.artifact.ref, arrival.new) == ("alice@v1", True)
    remove(store, store.find("alice"))
    shutil.rmtree(store.home / "trash")
    assert publish(content=b"another").version == 2
    assert taken_in(store, alice)[0].artifact.version == 1


def test_a_damaged_artifact_is_not_exported(store, publish, tmp_path, overwrite):
    voice = publish()
    overwrite(voice.directory / "model.bin", b"rotten!")
    (tmp_path / "out").mkdir()
    with pytest.raises(IntegrityError, match=r"model\.bin"):
        export([store.find("alice")], tmp_path / "out" / "alice.voxgrad", ignore)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_older_archive_survives_a_failed_export(store, alice, publish, monkeypatch):
    before = alice.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFailureError, match="disk is full"):
        export([store.find("alice")], alice, ignore)
    assert alice.read_bytes() == before
    assert [path.name for path in alice.parent.iterdir() if path.is_file()] == [alice.name]


def test_the_limit_and_the_space_are_looked_at_before_anything_is_written(other, alice, monkeypatch):
    with pytest.raises(BadInputError, match="more than the limit"):
        taken_in(other, alice, limit=9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 9))
    with pytest.raises(EnvironmentFailureError, match="disk has"):
        taken_in(other, alice, limit=10)
    assert not other.home.exists()


def test_an_archive_is_told_from_a_checkpoint(alice, tmp_path):
    assert is_archive(alice)
    assert is_archive(alice.rename(tmp_path / "alice.zip"))
    assert not is_archive(written(tmp_path / "model.pt", {"model/data.pkl": b""}))
    assert not is_archive(tmp_path / "missing.pt")
