"""Archives: what is given away arrives whole, and an untrusted archive harms nothing."""

import json
import os
import shutil
import stat
import tracemalloc
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxgrad.errors import BadInputError, EnvironmentFailureError, IntegrityError, VoxgradError
from voxgrad.events import ignore
from voxgrad.store import Artifact, Lineage, Store
from voxgrad.store.archive import LIMIT, Arrival, export, import_archive
from voxgrad.store.archive_reader import is_archive
from voxgrad.store.trash import in_trash, remove

LONG = bool(os.environ.get("VOXGRAD_LONG"))
Members = dict[str, bytes]


def taken_in(store: Store, path: Path, name: str | None = None, limit: int = LIMIT) -> tuple[Arrival, ...]:
    return import_archive(store, path, name=name, limit=limit, emit=ignore)


def written(path: Path, members: Members, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def members_of(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sealed(members: Members, root: str = "voice/alice/v1") -> Members:
    """With the digest of an edited manifest, as whoever edits one would do it."""
    digest = sha256(members[f"{root}/manifest.json"]).hexdigest()
    return {**members, f"{root}/manifest.sha256": f"{digest}  manifest.json\n".encode()}


def edited(members: Members, **changes: object) -> Members:
    name = "voice/alice/v1/manifest.json"
    manifest = {**json.loads(members[name]), **changes}
    return sealed({**members, name: json.dumps(manifest).encode()})


@pytest.fixture
def alice(store: Store, publish, tmp_path: Path) -> Path:
    """An archive of one voice."""
    export([publish()], tmp_path / "alice.voxgrad", ignore)
    return tmp_path / "alice.voxgrad"


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store(tmp_path / "other")


@pytest.fixture
def lineage(store: Store, family, tmp_path: Path) -> Path:
    """An archive of an utterance with everything that it was made from."""
    ancestors = Lineage.of(store).ancestors(family.first)
    export([family.first, *reversed(ancestors)], tmp_path / "all.voxgrad", ignore)
    return tmp_path / "all.voxgrad"


def test_the_manifest_comes_first_and_the_same_artifact_gives_the_same_archive(store, alice, tmp_path):
    assert list(members_of(alice)) == [
        f"voice/alice/v1/{name}"
        for name in ("manifest.json", "manifest.sha256", "model.bin", "pictures/loss.png")
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
    assert len(Lineage.of(other).ancestors(arrivals["speech"])) == 3
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
    assert sorted(str(one.slot) for one in in_trash(store)) == [
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


def test_a_removed_number_is_not_given_to_another(store, other, alice, publish):
    remove(other, publish(where=other, content=b"another"))
    assert taken_in(other, alice)[0].artifact.ref == "alice@v2"


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


def refused(store: Store, path: Path) -> VoxgradError:
    """Refuses without a trace: nothing in the store, nothing beside it, little memory."""
    around = sorted(one for one in path.parent.rglob("*") if store.home not in one.parents)
    tracemalloc.start()
    with pytest.raises(VoxgradError) as caught:
        taken_in(store, path, limit=10**6)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
    assert caught.value.exit_code in {2, 3}
    assert "\n" not in str(caught.value)
    assert store.scan() == ()
    assert list((store.home / "tmp").rglob("*")) == []
    assert sorted(one for one in path.parent.rglob("*") if store.home not in one.parents) in (
        around,
        sorted([*around, store.home]),
    )
    return caught.value


ROOT = "voice/alice/v1"
UNPLACED = [
    "../evil",
    "/etc/evil",
    "C:/evil",
    "evil",
    "voice/alice/v1",
    "voice/../v1/evil",
    "voice/alice/v0/x",
]


@pytest.mark.parametrize(
    "name", [*UNPLACED, "dragon/alice/v1/x", "voice/Alice/v1/x", "\\\\server\\x", "voice/a/v1/"]
)
def test_a_member_outside_the_layout_is_refused(other, alice, name):
    written(alice, {**members_of(alice), name: b"evil"})
    assert refused(other, alice).exit_code == 2


@pytest.mark.parametrize(
    "path",
    [
        "../../../../evil",
        "/etc/evil",
        "a/../../evil",
        "con:evil",
        "evil.",
        "evil ",
        "x" * 256,
        "a\\b",
        "a\nb",
        "\x1b[2J",
    ],
)
def test_a_listed_path_outside_the_artifact_is_refused(other, alice, path):
    members = members_of(alice)
    manifest = json.loads(members[f"{ROOT}/manifest.json"])
    entry = {"path": path, "size": 4, "sha256": sha256(b"evil").hexdigest()}
    evil = edited(members, files=[*manifest["files"], entry])
    written(alice, {**evil, f"{ROOT}/{path}": b"evil"})
    refused(other, alice)


@pytest.mark.parametrize(("one", "two"), [("a", "A"), ("é", "é"), ("a", "a/b"), ("pictures", None)])
def test_names_that_some_file_system_takes_for_one_are_refused(other, alice, one, two):
    members = members_of(alice)
    added = [path for path in (one, two) if path is not None]
    entries = [{"path": path, "size": 4, "sha256": sha256(b"evil").hexdigest()} for path in added]
    files = json.loads(members[f"{ROOT}/manifest.json"])["files"]
    evil = edited(members, files=[*files, *entries])
    written(alice, {**evil, **{f"{ROOT}/{path}": b"evil" for path in added}})
    refused(other, alice)


def test_a_link_a_device_and_a_directory_are_refused(other, alice):
    members = members_of(alice)
    for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK, stat.S_IFDIR):
        with zipfile.ZipFile(alice, "w") as archive:
            for name, content in members.items():
                member = zipfile.ZipInfo(name)
                member.external_attr = (kind if name.endswith("model.bin") else stat.S_IFREG) << 16
                archive.writestr(member, content)
        assert "plain file" in refused(other, alice).message


def test_a_member_that_stands_twice_is_refused(other, alice):
    with zipfile.ZipFile(alice, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(f"{ROOT}/model.bin", b"weights")
    assert "twice" in refused(other, alice).message


def test_a_member_that_no_manifest_lists_is_refused(other, alice):
    members = members_of(alice)
    written(alice, {**members, f"{ROOT}/more.bin": b"more"})
    assert "more.bin" in refused(other, alice).message
    written(alice, {name: content for name, content in members.items() if "model" not in name})
    assert "misses 'model.bin'" in refused(other, alice).message
    written(alice, {**members, "voice/bob/v1/model.bin": b"more"})
    assert "with its manifest" in refused(other, alice).message
    written(alice, dict(reversed(members.items())))
    assert "with its manifest" in refused(other, alice).message


def test_a_bomb_is_refused_before_it_goes_off(other, alice):
    members = members_of(alice)
    zeros = bytes(50_000_000)
    written(alice, {**members, f"{ROOT}/model.bin": zeros}, zipfile.ZIP_DEFLATED)
    assert "another size" in refused(other, alice).message
    manifest = json.loads(members[f"{ROOT}/manifest.json"])
    manifest["files"][0] |= {"size": len(zeros), "sha256": sha256(zeros).hexdigest()}
    honest = edited(members, files=manifest["files"])
    written(alice, {**honest, f"{ROOT}/model.bin": zeros}, zipfile.ZIP_DEFLATED)
    assert "more than the limit" in refused(other, alice).message
    written(alice, {**members, f"{ROOT}/manifest.json": zeros}, zipfile.ZIP_DEFLATED)
    assert "sensible size" in refused(other, alice).message


def test_a_member_that_lies_about_its_size_is_stopped(other, alice):
    """The list of members tells a small size; what is unpacked does not stop there."""
    members = members_of(alice)
    written(alice, {**members, f"{ROOT}/model.bin": bytes(1_000_000)}, zipfile.ZIP_DEFLATED)
    content = bytearray(alice.read_bytes())
    size = (1_000_000).to_bytes(4, "little")
    assert content.count(size) == 2
    alice.write_bytes(bytes(content).replace(size, (7).to_bytes(4, "little")))
    refused(other, alice)


def test_a_long_list_of_members_is_not_read(other, alice):
    with zipfile.ZipFile(alice, "w") as archive:
        for number in range(60_000):
            archive.filelist.append(zipfile.ZipInfo(f"{ROOT}/{number:0100}"))
            archive.filelist[-1].header_offset = archive.filelist[-1].CRC = 0
        archive._didModify = True
    assert alice.stat().st_size > 8 << 20
    refused(other, alice)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_packing_is_refused(other, alice, compression):
    written(alice, members_of(alice), compression)
    assert "another way" in refused(other, alice).message


def test_a_deflated_archive_is_taken(other, alice):
    written(alice, members_of(alice), zipfile.ZIP_DEFLATED)
    assert taken_in(other, alice)[0].new


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"schema_version": "2.0"}, 3),
        ({"schema_version": "x"}, 3),
        ({"kind": "base"}, 2),
        ({"name": "bob"}, 2),
        ({"name": "../bob"}, 2),
        ({"version": 2}, 2),
        ({"version": -1}, 3),
        ({"files": []}, 2),
        ({"consent": "all \x1b[2J of it"}, 2),
        ({"settings": {"\x00": 1}}, 2),
        ({"settings": {"x": "\ud800"}}, 2),
        ({"metrics": {"loss": float("nan")}}, 2),
    ],
)
def test_an_edited_manifest_is_refused(other, alice, changes, code):
    written(alice, edited(members_of(alice), **changes))
    assert refused(other, alice).exit_code == code


def test_an_edit_without_its_digest_is_refused(other, alice):
    members = members_of(alice)
    text = members[f"{ROOT}/manifest.json"].replace(b"0.5", b"0.6")
    written(alice, {**members, f"{ROOT}/manifest.json": text})
    assert "does not agree with its digest" in refused(other, alice).message
    written(alice, {**members, f"{ROOT}/model.bin": b"weightz"})
    assert refused(other, alice).exit_code == 3


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\3\4", b"<!DOCTYPE html>", b"version https://git-lfs.github.com/spec/v1\n", b"\x80\x02."],
)
def test_what_is_no_archive_is_refused(other, tmp_path, content):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "alice.voxgrad"
    path.write_bytes(content)
    assert "no whole voxgrad archive" in refused(other, path).message


def test_a_cut_archive_and_a_missing_one_are_refused(other, alice, tmp_path):
    content = alice.read_bytes()
    for size in range(0, len(content), len(content) // 20):
        alice.write_bytes(content[:size])
        refused(other, alice)
    with pytest.raises(BadInputError, match="no archive"):
        taken_in(other, tmp_path / "nowhere.voxgrad")
    with pytest.raises(BadInputError, match="no archive"):
        taken_in(other, tmp_path)


def test_of_several_artifacts_all_are_checked_before_one_is_published(other, lineage):
    members = members_of(lineage)
    written(lineage, {**members, "voice/alice/v1/model.bin": b"weightz"})
    refused(other, lineage)


edits = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "insert", "cut", "copy"]), st.integers(0, 10**6), st.integers(0, 255)
    ),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=1000 if LONG else 60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(edits=edits)
def test_a_mutated_archive_is_taken_whole_or_refused_in_one_line(
    store, lineage, mutated, tmp_path_factory, edits
):
    place = tmp_path_factory.mktemp("mutation")
    path = place / "in.voxgrad"
    path.write_bytes(mutated(lineage.read_bytes(), edits))
    home = Store(place / "home")
    refusal = None
    try:
        taken_in(home, path, limit=10**6)
    except VoxgradError as error:
        refusal = error
    if refusal is not None:
        assert refusal.exit_code in {2, 3}
        assert "\n" not in str(refusal)
        assert home.scan() == ()
    for one in home.scan():
        assert isinstance(one, Artifact)
        assert list(one.problems(full=True)) == []
    left = [item for item in place.rglob("*") if item.is_file() and "artifacts" not in item.parts]
    assert {item.name for item in left} <= {"in.voxgrad", "store.json", "store.lock"}
    shutil.rmtree(place)
