"""Manifests and fingerprints; what other versions of voxgrad wrote is read, or refused in one line."""

import hashlib
import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from voxgrad.errors import IntegrityError
from voxgrad.store import Artifact, FileEntry, Manifest, Parent, Store, canonical_json, fingerprint

DIGEST = hashlib.sha256(b"").hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()


def manifest(**changes) -> Manifest:
    fields = {
        "kind": "voice",
        "name": "alice",
        "version": 3,
        "created": "2026-01-02T03:04:05Z",
        "tools": {"voxgrad": "0.1.0", "python": "3.11"},
        "fingerprint": DIGEST,
        "parents": {"dataset": Parent(ref="lj@v1", digest=DIGEST)},
        "settings": {"learning_rate": 1e-4, "name": "Zoë"},
        "seed": None,
        "device": "cpu",
        "files": (FileEntry(path="model/weights.bin", size=0, sha256=DIGEST),),
        "metrics": {},
        "consent": None,
        "licence": None,
    }
    return Manifest(**{**fields, **changes})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"{}",
        b"\xff",
        b'{"schema_version": "one"}',
        b'{"schema_version": 1}',
        b'{"schema_version": "1.0"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_is_refused(text: bytes):
    with pytest.raises(IntegrityError, match="voice alice@v3 is damaged") as caught:
        Manifest.from_bytes(text, "voice alice@v3")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "path", ["", ".", "..", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/", "a\\b", "a\0", "manifest.json"]
)
def test_a_path_stays_inside_the_artifact(path: str):
    with pytest.raises(ValidationError):
        FileEntry(path=path, size=1, sha256=DIGEST)


def test_a_plain_path_is_kept_and_listed_once():
    paths = ["a", "a/b.wav", "..a", "clip 1.wav", "Zoë.png"]
    entries = tuple(FileEntry(path=path, size=1, sha256=DIGEST) for path in paths)
    assert [entry.path for entry in manifest(files=entries).files] == paths
    with pytest.raises(ValidationError, match="twice"):
        manifest(files=(*entries, entries[0]))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcé", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_canonical_json_says_the_same_and_writes_it_in_one_way(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


def test_what_is_no_json_value_is_never_written():
    with pytest.raises(TypeError, match="is not JSON serializable"):
        manifest(settings={"place": Path("home")}).to_bytes()
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON compliant"):
            manifest(metrics={"loss": number}).to_bytes()


WORK = {
    "step": "finetune",
    "step_version": 1,
    "settings": {"rate": 1e-4, "steps": 10},
    "parents": {"base": Parent(ref="lj@v1", digest=DIGEST)},
    "inputs": {"lexicon": "ab12"},
}


def test_a_fingerprint_never_changes_between_releases():
    # Written down, because a change would make every step of every user run again.
    assert fingerprint(**WORK) == "803267c3f39578615680d860bd74fb3515220570c38ef10bff5fe5d12d7b0f61"


@pytest.mark.parametrize(
    "change",
    [
        {"step": "pretrain"},
        {"step_version": 2},
        {"settings": {"rate": 1e-4, "steps": 11}},
        {"settings": {"rate": 1e-4, "steps": 10, "seed": None}},
        {"parents": {"base": Parent(ref="lj@v1", digest=OTHER)}},
        {"parents": {"dataset": Parent(ref="lj@v1", digest=DIGEST)}},
        {"inputs": {}},
    ],
)
def test_a_fingerprint_feels_every_change(change):
    assert fingerprint(**{**WORK, **change}) != fingerprint(**WORK)


def test_a_fingerprint_ignores_what_a_parent_is_called_and_the_order_of_settings():
    same = {
        **WORK,
        "parents": {"base": Parent(ref="renamed@v9", digest=DIGEST)},
        "settings": {"steps": 10, "rate": 1e-4},
    }
    assert fingerprint(**same) == fingerprint(**WORK)


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


def test_a_newer_minor_version_is_read_and_its_fields_travel(home: Path, family, store, overwrite, done):
    files = [{**entry.model_dump(), "packing": "none"} for entry in family.first.manifest.files]
    as_of(family.first, overwrite, schema_version="1.9", watermark={"bits": 16}, files=files)
    overwrite(home / "store.json", b'{"schema_version": "1.9", "colour": "blue"}')
    assert json.loads(done("show", "speech/alice@v1", "--json").out)["manifest"]["watermark"] == {"bits": 16}
    done("export", "speech/alice@v1", "-o", "out.voxgrad", "-q")
    done("import", "out.voxgrad", "--name", "renamed", "-q")
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
def test_another_major_version_is_one_line_and_the_rest_still_works(home: Path, family, overwrite, version, told, done):
    as_of(family.voice, overwrite, schema_version=version, files="another form")
    answer = done("show", "voice/alice", code=3)
    out, err = answer.out, answer.err
    assert (out, err.count("\n")) == ("", 1)
    assert f"schema {version}, {told}" in err
    done("say", "Hello.", "--voice", "voice/alice", code=3)
    done("gc", code=3)
    assert ("newer" in done("ls").out) == (version == "2.0")
    done("show", "dataset/lj")


def test_a_store_of_a_newer_major_version_can_still_be_listed(home: Path, overwrite, done):
    overwrite(home / "store.json", b'{"schema_version": "2.0"}')
    assert done("show", "voice/alice", code=3).err.count("\n") == 1
    assert "narrator@v1" in done("ls").out
