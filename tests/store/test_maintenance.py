"""Removing, bringing back, collecting; verification finds every damage and mends none."""

import os
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import ignore
from voxgrad.files import advisory_lock
from voxgrad.store import Artifact, Lineage, Store
from voxgrad.store.maintenance import STAGING_AGE, Finding, collect, in_trash, remove, restore, verify


def refs(found) -> list[str]:
    return [str(one) for one in found]


def age(path: Path, by: timedelta) -> None:
    then = time.time() - by.total_seconds()
    for one in (path, *path.rglob("*")):
        os.utime(one, (then, then))


def test_lineage_is_read_from_the_manifests(store: Store, family):
    lineage = Lineage(store)
    assert refs(lineage.children(family.dataset)) == ["base narrator@v1", "voice alice@v1"]
    assert refs(lineage.descendants(family.dataset))[:2] == ["base narrator@v1", "voice alice@v1"]
    assert len(lineage.descendants(family.dataset)) == 4
    assert refs(lineage.ancestors(family.first)) == ["dataset lj@v1", "base narrator@v1", "voice alice@v1"]
    assert lineage.ancestors(family.dataset) == ()
    assert lineage.descendants(family.second) == ()


@pytest.mark.parametrize("file", ["manifest.json", "manifest.sha256"])
def test_a_damaged_parent_keeps_its_children(store: Store, family, file: str, overwrite):
    overwrite(family.dataset.directory / file, b"nonsense")
    lineage = Lineage(store)
    damaged = store.locate("lj")
    assert refs(lineage.children(damaged)) == ["base narrator@v1", "voice alice@v1"]
    with pytest.raises(BadInputError, match="needed by base"):
        remove(store, damaged)


def test_what_is_removed_comes_back_as_it_was(store: Store, family, contents):
    before = contents(store.home)
    assert refs(remove(store, family.second)) == ["speech alice@v2"]
    assert refs(store.scan("speech")) == ["speech alice@v1"]
    assert refs(one.location for one in in_trash(store)) == ["speech alice@v2"]
    assert refs(restore(store, "alice@v2")) == ["speech alice@v2"]
    after = contents(store.home)
    assert {path: content for path, content in after.items() if not path.endswith(".removed")} == before
    assert in_trash(store) == []
    assert not any((store.home / "trash").iterdir())


def test_a_number_is_never_given_to_another(store: Store, family, publish):
    remove(store, family.second)
    assert publish("alice", kind="speech").version == 3
    restore(store, "alice@v2")
    assert publish("alice", kind="speech").version == 4
    collect(store, trash_age=timedelta())
    assert publish("alice", kind="speech").version == 5


def test_what_something_needs_is_not_removed(store: Store, family, contents):
    before = contents(store.home)
    for one in (family.dataset, family.base, family.voice):
        with pytest.raises(BadInputError, match="is needed by") as caught:
            remove(store, one)
        assert "--cascade" in caught.value.hint
    assert contents(store.home) == before


def test_a_cascade_takes_children_first_and_comes_back_with_parents(store: Store, family):
    assert refs(remove(store, family.dataset, cascade=True)) == [
        "speech alice@v1",
        "speech alice@v2",
        "voice alice@v1",
        "base narrator@v1",
        "dataset lj@v1",
    ]
    assert store.scan() == ()
    back = refs(restore(store, "speech/alice@v2"))
    assert back == ["dataset lj@v1", "base narrator@v1", "voice alice@v1", "speech alice@v2"]
    assert refs(Lineage(store).descendants(store.find("lj")))[-1] == "speech alice@v2"
    assert refs(one.location for one in in_trash(store)) == ["speech alice@v1"]


def test_a_training_run_keeps_what_it_began_with(store: Store, family):
    run = store.run_directory("bob-1234")
    run.mkdir(parents=True)
    (run / "run.json").write_text(f'{{"parents": {{"dataset": {{"digest": "{family.dataset.digest}"}}}}}}')
    (store.run_directory("broken")).mkdir()
    (store.run_directory("broken") / "run.json").write_text("[")
    with pytest.raises(BadInputError, match="needed by the training run bob-1234"):
        remove(store, family.dataset, cascade=True)
    assert refs(remove(store, family.voice, cascade=True))[-1] == "voice alice@v1"


def test_what_came_with_the_package_stays(store: Store, family, tmp_path: Path):
    mine = Store(tmp_path / "mine", embedded=store.home / "artifacts")
    with pytest.raises(BadInputError, match="is included in voxgrad"):
        remove(mine, mine.find("lj"), cascade=True)
    assert not mine.home.exists()


def test_the_damaged_can_be_removed_and_brought_back(store: Store, family, overwrite):
    overwrite(family.second.directory / "manifest.json", b"{}")
    remove(store, store.locate("speech/alice@v2"))
    assert all(isinstance(one, Artifact) for one in store.scan())
    assert refs(restore(store, "speech/alice@v2")) == ["speech alice@v2"]
    with pytest.raises(IntegrityError):
        store.find("speech/alice@v2")


@pytest.mark.parametrize("ref", ["bob", "alice@v9", "voice/alice", "@sha256:0123456789"])
def test_what_is_not_in_the_trash(store: Store, family, ref: str):
    remove(store, family.second)
    with pytest.raises(BadInputError, match="in the trash"):
        restore(store, ref)


def test_the_last_removed_comes_back_first_and_a_name_may_have_dots(store: Store, family, publish):
    remove(store, publish("alice.v1.20260101t000000"))
    assert refs(restore(store, "alice.v1.20260101t000000")) == ["voice alice.v1.20260101t000000@v1"]
    remove(store, family.second)
    remove(store, family.first)
    digest = family.second.digest[:12]
    assert refs(restore(store, "alice")) == ["speech alice@v1"]
    assert refs(restore(store, f"@sha256:{digest}")) == ["speech alice@v2"]


def test_a_place_that_is_taken_is_not_overwritten(store: Store, family):
    remove(store, family.second)
    family.second.directory.mkdir()
    with pytest.raises(BadInputError, match="Another artifact is called"):
        restore(store, "alice@v2")
    assert len(in_trash(store)) == 1


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "voice.alice.v1.20260101T000000-000000Z",
        "dragon.alice.v1.20260101T000000-000000Z.01234567",
        "voice.-alice.v1.20260101T000000-000000Z.01234567",
        "voice.alice.v0.20260101T000000-000000Z.01234567",
        "voice.alice.v1.20269999T000000-000000Z.01234567",
    ],
)
def test_what_others_put_into_the_trash_is_left_alone(store: Store, family, name: str):
    remove(store, family.second)
    (path,) = (store.home / "trash").iterdir()
    path.rename(path.with_name(name))
    assert in_trash(store) == []
    assert collect(store, trash_age=timedelta()).trash == ()
    assert (path.with_name(name) / "manifest.json").exists()


def test_only_old_trash_is_collected(store: Store, family):
    remove(store, family.first)
    remove(store, family.second)
    young = in_trash(store)[0]
    assert collect(store, dry_run=True).trash == ()
    old = in_trash(store)[1].location.directory
    then = (datetime.now(UTC) - timedelta(days=15)).strftime("%Y%m%dT%H%M%S-%fZ")
    parts = old.name.split(".")
    old = old.rename(old.with_name(".".join([*parts[:3], then, parts[4]])))
    would = collect(store, dry_run=True)
    assert [one.location.directory for one in would.trash] == [old]
    assert would.size > 10
    assert len(in_trash(store)) == 2
    assert collect(store).size == would.size
    assert in_trash(store) == [young]
    assert list((store.home / "tmp").iterdir()) == []


def test_only_staging_that_is_old_and_unlocked_is_collected(store: Store, publish):
    publish()
    old, young, locked = (store.home / "tmp" / name for name in ("old", "young", "locked"))
    for directory in (old, young, locked):
        (directory / "payload").mkdir(parents=True)
        (directory / "payload" / "weights.bin").write_bytes(bytes(1000))
        (directory / "lock").touch()
        age(directory, STAGING_AGE + timedelta(minutes=1))
    os.utime(young / "payload" / "weights.bin")
    run = store.run_directory("alice-1")
    run.mkdir(parents=True)
    (run / "run.json").write_text("{")
    age(run, timedelta(days=365))
    with advisory_lock(locked / "lock"):
        assert collect(store, dry_run=True).staging == (old,)
        assert collect(store).staging == (old,)
        assert sorted((store.home / "tmp").iterdir()) == [locked, young]
    age(young, STAGING_AGE + timedelta(minutes=1))
    of_a_killed_collector = store.home / "tmp" / "ab.gone"
    (of_a_killed_collector / "payload").mkdir(parents=True)
    assert set(collect(store).staging) == {young, locked, of_a_killed_collector}
    assert list((store.home / "tmp").iterdir()) == []
    assert (run / "run.json").read_text() == "{"
    assert len(store.list()) == 1


def prepared(store: Store, name: str, old: timedelta) -> Path:
    file = store.prepared / f"{name}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(1000))
    age(file, old)
    return file


def test_prepared_recordings_are_collected_once_a_newer_dataset_is_there(store: Store, publish):
    old = prepared(store, "old", timedelta(days=2))
    assert collect(store).prepared == ()  # an interrupted prepare may go on with it
    publish("lj", kind="dataset")
    with_it = prepared(store, "new", STAGING_AGE / 2)
    assert collect(store).prepared == ()  # a prepare may be at work
    age(with_it, STAGING_AGE * 2)
    would = collect(store, dry_run=True)
    assert (set(would.prepared), would.prepared_size, would.size) == ({old, with_it}, 2000, 2000)
    assert old.exists()
    assert collect(store) == would
    assert list(store.prepared.iterdir()) == []
    assert len(store.list()) == 1


def test_recordings_prepared_after_the_newest_dataset_are_kept(store: Store, publish, monkeypatch):
    publish("lj", kind="dataset")
    kept = prepared(store, "kept", -timedelta(hours=1))
    later = time.time() + 3 * STAGING_AGE.total_seconds()
    monkeypatch.setattr("voxgrad.store.maintenance.time.time", lambda: later)
    assert collect(store).prepared == ()
    assert kept.exists()


@pytest.mark.parametrize("damage", [b"{}", b'{"schema_version": "2.0"}'])
def test_nothing_is_collected_while_a_manifest_cannot_be_read(store: Store, family, damage: bytes, overwrite):
    remove(store, family.second)
    overwrite(family.dataset.directory / "manifest.json", damage)
    with pytest.raises(IntegrityError, match="manifest of dataset lj@v1") as caught:
        collect(store, trash_age=timedelta())
    assert "voxgrad verify" in caught.value.hint
    assert len(in_trash(store)) == 1


LONG = bool(os.environ.get("VOXGRAD_LONG"))


def findings(store: Store, *, full: bool = True) -> tuple[Finding, ...]:
    lineage = Lineage(store)
    return verify(lineage, lineage.everything, full=full, emit=ignore)


def test_what_depends_on_damage_is_named(store: Store, family, contents, overwrite):
    overwrite(family.base.directory / "model.bin", b"weighty")
    before = contents(store.home)
    (found,) = findings(store)
    assert str(found.artifact) == "base narrator@v1"
    assert [problem.message for problem in found.problems] == [
        "The file model.bin of base narrator@v1 has changed since it was published"
    ]
    made = [str(one) for one in found.dependents]
    assert made[0] == "voice alice@v1"
    assert sorted(made[1:]) == ["speech alice@v1", "speech alice@v2"]
    assert contents(store.home) == before
    assert findings(store, full=False) == ()  # of the same size


def replaced_by_link(path: Path) -> None:
    copy = path.parent.parent.parent / "copy"
    copy.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(copy)


def replaced_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replaced_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        replaced_by_link,
        replaced_by_pipe,
        replaced_by_directory,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
        lambda path: (path.parent / "stranger").touch(),
    ],
)
def test_what_sizes_and_names_tell_is_found_quickly(store: Store, publish, damage):
    path = publish().directory / "model.bin"
    path.chmod(0o644)
    damage(path)
    assert len(findings(store, full=False)) == 1


@pytest.mark.parametrize("times", [1000 if LONG else 60])
def test_every_flipped_bit_is_found(store: Store, family, times: int, overwrite):
    """Payloads, manifests and digests alike: 100 % with --full."""
    chance = random.Random(9)
    files = sorted(path for path in (store.home / "artifacts").rglob("*") if path.is_file())
    assert {path.name for path in files} == {"manifest.json", "manifest.sha256", "model.bin", "loss.png"}
    missed = []
    for number in range(times):
        path = files[number % len(files)]
        content = path.read_bytes()
        bit = chance.randrange(8 * len(content))
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        overwrite(path, bytes(flipped))
        found = findings(store)
        if len(found) != 1 or not path.is_relative_to(found[0].artifact.directory):
            missed.append((path, bit))
        overwrite(path, content)
    assert missed == []
    assert findings(store) == ()
