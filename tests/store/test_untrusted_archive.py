"""Untrusted archives: each is refused in one line, leaves nothing behind and takes little memory."""

import json
import os
import shutil
import stat
import zipfile
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.archives import edited, members_of, refused, taken_in, written
from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.store import Artifact, Store

LONG = bool(os.environ.get("VOXGRAD_LONG"))
ROOT = "voice/alice/v1"
UNPLACED = ["../evil", "/etc/evil", "C:/evil", "evil", "voice/alice/v1", "voice/../v1/evil", "voice/alice/v0/x"]


@pytest.mark.parametrize("name", [*UNPLACED, "dragon/alice/v1/x", "voice/Alice/v1/x", "\\\\server\\x", "voice/a/v1/"])
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
        assert "regular file" in refused(other, alice).message


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
    assert "different sizes" in refused(other, alice).message
    manifest = json.loads(members[f"{ROOT}/manifest.json"])
    manifest["files"][0] |= {"size": len(zeros), "sha256": sha256(zeros).hexdigest()}
    honest = edited(members, files=manifest["files"])
    written(alice, {**honest, f"{ROOT}/model.bin": zeros}, zipfile.ZIP_DEFLATED)
    assert "more than the limit" in refused(other, alice).message
    written(alice, {**members, f"{ROOT}/manifest.json": zeros}, zipfile.ZIP_DEFLATED)
    assert "plausible size" in refused(other, alice).message


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


def test_an_unusual_packing_is_refused_and_a_deflated_archive_taken(other, alice):
    for compression in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        written(alice, members_of(alice), compression)
        assert "unsupported compression" in refused(other, alice).message
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
    assert "does not match its digest" in refused(other, alice).message
    written(alice, {**members, f"{ROOT}/model.bin": b"weightz"})
    assert refused(other, alice).exit_code == 3


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
    st.tuples(st.sampled_from(["set", "set", "insert", "cut", "copy"]), st.integers(0, 10**6), st.integers(0, 255)),
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
def test_a_mutated_archive_is_taken_whole_or_refused_in_one_line(store, lineage, mutated, tmp_path_factory, edits):
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
