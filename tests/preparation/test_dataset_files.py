"""Only what is new is worked on; what was interrupted goes on; any engine gives the same."""

import os

import numpy as np
import pytest
import soundfile

from tests.preparation.conftest import TEXTS, rows, write_list
from voxgrad.preparation import recording
from voxgrad.preparation.recording import prepare_recording


@pytest.fixture
def worked(monkeypatch) -> list[str]:
    """The recordings that were worked on."""
    done: list[str] = []

    def counted(entry, key, how):
        done.append(entry.id)
        return prepare_recording(entry, key, how)

    monkeypatch.setattr(recording, "prepare_recording", counted)
    return done


def test_only_what_is_new_or_changed_is_worked_on(folder, prepare, record, worked):
    first = prepare(folder)
    assert worked == ["a", "b", "c"]
    files = {entry.path: entry.sha256 for entry in first.manifest.files}
    inodes = {path.stat().st_ino for path in first.directory.rglob("*")}
    assert prepare(folder).ref == first.ref
    assert worked == ["a", "b", "c"]
    record(folder, {"new": "She reads a book."})
    write_list(folder, {"new": "She reads a book.", **TEXTS})
    second = prepare(folder)
    assert worked[3:] == ["new"]
    assert "1 recordings are new or changed, 3 are unchanged" in prepare.err
    assert second.ref == "voice@v2"
    after = {entry.path: entry.sha256 for entry in second.manifest.files}
    assert all(after[path] == digest for path, digest in files.items() if path.startswith("audio/"))
    assert not inodes & {path.stat().st_ino for path in second.directory.rglob("*")}
    write_list(folder, {**TEXTS, "new": "She reads a book.", "b": "Snow fell all day."})
    prepare(folder)
    assert worked[4:] == ["b"]


def test_a_change_of_mind_works_on_nothing(folder, prepare, worked):
    soundfile.write(folder / "b.wav", np.random.default_rng(0).normal(0, 0.1, 44100), 22050)
    rejected = prepare(folder)
    assert rejected.manifest.metrics["clips"] == 2
    count = len(worked)
    assert prepare(folder, "--keep-all").manifest.metrics["clips"] == 3
    assert prepare(folder, "--set", "checks.reject_snr_db=-99").manifest.metrics["clips"] == 3
    assert len(worked) == count


def test_what_was_interrupted_goes_on(folder, prepare, command, worked, monkeypatch, tmp_path):
    def stopped(entry, key, how):
        if entry.id == "c":
            raise KeyboardInterrupt
        return counting(entry, key, how)

    counting = recording.prepare_recording
    monkeypatch.setattr(recording, "prepare_recording", stopped)
    assert command("prepare", folder).code == 130
    assert not list((tmp_path / "home").glob("artifacts/dataset/*/v*"))
    assert not any((tmp_path / "home" / "tmp").glob("*"))
    monkeypatch.setattr(recording, "prepare_recording", counting)
    dataset = prepare(folder)
    assert sorted(worked) == ["a", "b", "c"]
    assert dataset.manifest.metrics["clips"] == 3
    assert not (tmp_path / "home" / "prepared").exists()


def test_a_damaged_remainder_is_made_again(folder, prepare, worked, tmp_path):
    directory = tmp_path / "home" / "prepared"
    first = prepare(folder)
    directory.mkdir()
    for row in rows(first, "recordings.jsonl"):
        (directory / f"{row['key']}.safetensors").write_bytes(b"damaged")
    write_list(folder, dict(list(TEXTS.items())[:2]))
    assert prepare(folder).manifest.metrics["clips"] == 2


def test_a_dask_cluster_gives_the_same_dataset(folder, prepare, tmp_path):
    distributed = pytest.importorskip("distributed", reason="Dask is an extra")
    local = prepare(folder, "--name", "same")
    files = {entry.path: entry.sha256 for entry in local.manifest.files}
    (tmp_path / "home").rename(tmp_path / "before")
    os.environ["DASK_DISTRIBUTED__LOGGING__DISTRIBUTED"] = "error"
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        engine = cluster.scheduler_address.replace("tcp://", "dask://")
        there = prepare(folder, "--name", "same", "--engine", engine)
    assert {entry.path: entry.sha256 for entry in there.manifest.files} == files
    assert there.manifest.fingerprint == local.manifest.fingerprint


def test_a_cluster_that_does_not_answer_is_told_of(folder, command, monkeypatch):
    pytest.importorskip("distributed", reason="Dask is an extra")
    monkeypatch.setattr(recording, "_SECONDS_TO_CONNECT", "1s")
    outcome = command("prepare", folder, "--engine", "dask://127.0.0.1:9")
    assert outcome.code == 4
    assert "no Dask scheduler answers at dask://127.0.0.1:9" in outcome.err
