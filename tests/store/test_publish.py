import hashlib
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.store import Parent, Store, fingerprint

WORK = fingerprint("test", 1, {}, {}, {})


def leftovers(home: Path) -> list[Path]:
    """What lies where things are staged."""
    return sorted((home / "tmp").rglob("*"))


def test_an_artifact_says_what_it_is(publish, store: Store):
    parent = publish("lj", kind="dataset")
    voice = publish(parents={"dataset": parent.as_parent()})
    assert (voice.kind, voice.name, voice.version, voice.ref) == ("voice", "alice", 1, "alice@v1")
    assert voice.directory == store.home / "artifacts" / "voice" / "alice" / "v1"
    assert voice.parent("dataset") == Parent(ref="lj@v1", digest=parent.digest)
    assert [(entry.path, entry.size) for entry in voice.manifest.files] == [("model.bin", 7), ("pictures/loss.png", 3)]
    assert voice.size == 10
    assert voice.path("pictures/loss.png").read_bytes() == b"png"
    assert {"voxgrad", "python"} <= voice.manifest.tools.keys()
    assert json.loads((store.home / "store.json").read_text()) == {"schema_version": "1.0"}
    assert leftovers(store.home) == []


def test_the_manifest_names_no_place_on_this_machine_and_its_digest_is_what_sha256sum_reads(publish, tmp_path: Path):
    voice = publish()
    text = (voice.directory / "manifest.json").read_text()
    assert str(tmp_path) not in text
    assert str(Path.home()) == "/" or str(Path.home()) not in text
    assert hashlib.sha256((voice.directory / "manifest.json").read_bytes()).hexdigest() == voice.digest
    subprocess.run(["sha256sum", "--check", "--strict", "manifest.sha256"], cwd=voice.directory, check=True)  # noqa: S607


def test_what_is_published_is_read_only(publish):
    modes = [path.stat().st_mode for path in publish().directory.rglob("*") if path.is_file()]
    assert len(modes) == 4
    assert not any(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) for mode in modes)


def test_versions_count_up_and_a_number_is_never_used_again(publish, store: Store):
    versions = store.home / "artifacts" / "voice" / "alice"
    assert [publish().version for _ in range(3)] == [1, 2, 3]
    (versions / "v3").rename(store.home / "away")
    (versions / "v3.removed").touch()
    assert publish().version == 4
    (versions / "v11.removed").mkdir()
    (versions / "v99.txt").touch()
    assert publish().version == 12


def test_versions_continue_those_that_came_with_the_package(publish, store: Store):
    publish("lj", kind="base")
    newer = Store(store.home.parent / "other", embedded=store.home / "artifacts")
    assert publish("lj", kind="base", where=newer).version == 2


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_an_interruption_leaves_nothing(store: Store, interruption):
    def interrupted():
        with store.stage("voice", "alice") as staged:
            (staged.directory / "model.bin").write_bytes(b"half")
            raise interruption

    with pytest.raises(interruption):
        interrupted()
    assert leftovers(store.home) == []


def test_publishing_twice_is_refused(store: Store):
    def twice():
        with store.stage("voice", "alice") as staged:
            staged.publish(fingerprint=WORK, settings={})
            staged.publish(fingerprint=WORK, settings={})

    with pytest.raises(EnvironmentFailureError, match="published"):
        twice()
    assert len(store.list()) == 1


def test_a_link_is_no_payload(store: Store, tmp_path: Path):
    (tmp_path / "secret").mkdir()

    def linked(target: Path):
        with store.stage("voice", "alice") as staged:
            (staged.directory / "link").symlink_to(target)
            staged.publish(fingerprint=WORK, settings={})

    (tmp_path / "secret" / "file").touch()
    with pytest.raises(ValueError, match="link"):
        linked(tmp_path / "secret")
    with pytest.raises(ValueError, match="plain file"):
        linked(tmp_path / "secret" / "file")
    assert store.scan() == ()


@pytest.mark.parametrize("name", ["../alice", "..", ".hidden", "-x", "", "a/b", "Alice", "a b", "a" * 65, "é", "a\n"])
def test_a_name_that_is_none_is_refused(store: Store, name: str):
    with pytest.raises(BadInputError, match="cannot be a name"), store.stage("voice", name):
        pass
    assert not store.home.exists()


def test_a_plain_name_is_taken_and_an_unknown_kind_names_the_nearest(publish, store: Store):
    assert all(publish(name).name == name for name in ("0", "_", "ljspeech-1.1", "a" * 64))
    with pytest.raises(BadInputError, match="Did you mean voice"), store.stage("voices", "alice"):
        pass


def test_a_full_disk_is_explained_and_an_error_of_the_step_is_not_called_the_disks(store: Store, tmp_path: Path):
    def write(refusal: OSError) -> None:
        with store.stage("voice", "alice"):
            raise refusal

    with pytest.raises(EnvironmentFailureError, match="disk is full"):
        write(OSError(28, "No space left on device"))
    with pytest.raises(FileNotFoundError):
        write(FileNotFoundError(2, "No such file"))
    (tmp_path / "file").touch()
    below_it = Store(tmp_path / "file" / "home").stage("voice", "alice")
    with pytest.raises(EnvironmentFailureError, match="Cannot write to"), below_it:
        pass
    assert leftovers(store.home) == []


def test_a_place_that_may_not_be_written_is_explained(store: Store, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied", "artifacts")

    monkeypatch.setattr(os, "rename", refuse)
    with (
        pytest.raises(EnvironmentFailureError, match="no permission") as caught,
        store.stage("voice", "alice") as staged,
    ):
        staged.publish(fingerprint=WORK, settings={})
    assert caught.value.exit_code == 4
    assert leftovers(store.home) == []


def test_a_number_that_was_taken_meanwhile_is_passed_over(publish, store: Store, monkeypatch):
    publish()
    monkeypatch.setattr("voxgrad.store.artifact.Layout.next_version", lambda *_: 1)
    again = publish()
    assert again.version == again.manifest.version == 2
