"""The store's commands: what they answer, and the exit codes of everything that can be wrong."""

import json
import os
import shutil
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
import torch

from voxgrad.cli.main import main
from voxgrad.store import Artifact, Store
from voxgrad.store.maintenance import collect


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch) -> None:
    """What comes with the package would show in every list; files are written here."""
    monkeypatch.setattr("voxgrad.store.store.EMBEDDED", tmp_path / "none")
    monkeypatch.chdir(tmp_path)


def rotten(artifact: Artifact, file: str = "part000.bin") -> None:
    path = artifact.directory / file
    path.chmod(0o644)
    path.write_bytes(bytes([1]) + path.read_bytes()[1:])


def test_verify_says_what_is_damaged_and_what_depends_on_it(alice: Artifact, home: Path, capsys):
    assert main(["verify"]) == 0
    assert capsys.readouterr().out == "3 artifacts, all intact\n"
    rotten(Store(home).find("lj"))
    assert main(["verify", "--quick"]) == 0
    capsys.readouterr()
    assert main(["verify"]) == 3
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "dataset lj@v1",
        "  The file part000.bin of dataset lj@v1 has changed since it was published",
        "  made from it: base narrator@v1, voice alice@v1",
        "damaged: 1 of 3; `voxgrad import` replaces it with an intact copy, `voxgrad rm` removes it",
    ]
    assert "error" not in err
    assert main(["verify", "alice", "-q"]) == 0
    capsys.readouterr()
    assert main(["verify", "lj", "--json", "-q"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["verified"] == 1
    assert told["damaged"][0]["dependents"] == ["base narrator@v1", "voice alice@v1"]


def test_verify_takes_a_reference_to_what_cannot_be_read(alice: Artifact, capsys):
    rotten(alice, "manifest.json")
    assert main(["verify", "alice"]) == 3
    assert "does not match its digest" in capsys.readouterr().out
    assert main(["verify", "bob"]) == 2


def test_ls_tree_and_show_with_sizes(alice: Artifact, capsys):
    assert main(["ls", "--tree"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "dataset lj@v1, 1.5 kB",
        "├── base narrator@v1, 1.5 kB",
        "│   └── voice alice@v1, 1.5 kB",
        "└── voice alice@v1, 1.5 kB (see above)",
    ]
    assert main(["show", "lj"]) == 0
    out = capsys.readouterr().out
    assert "base     narrator@v1" in out
    assert "voice    alice@v1" in out
    assert main(["show", "alice", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["size"], told["size_with_lineage"]) == (1500, 4500)
    assert told["lineage"][0]["size"] == 1500
    assert main(["ls", "voice", "--tree"]) == 2


def test_ls_tree_marks_what_is_missing_and_damaged(alice: Artifact, home: Path, capsys):
    shutil.rmtree(home / "artifacts" / "base")
    rotten(Store(home).find("lj"), "manifest.json")
    assert main(["ls", "--tree"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "dataset lj@v1, damaged",
        "└── voice alice@v1, 1.5 kB (missing: base narrator@v1)",
    ]


def test_rm_restore_and_gc(alice: Artifact, home: Path, capsys):
    assert main(["rm", "lj"]) == 2
    assert "needed by base narrator@v1 and 1 more" in capsys.readouterr().err
    assert main(["rm", "lj", "--cascade"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "removed voice alice@v1",
        "removed base narrator@v1",
        "removed dataset lj@v1",
    ]
    assert main(["restore"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["dataset", "lj@v1"]
    assert main(["gc"]) == 0
    assert capsys.readouterr().out == "freed 0 B\n"
    assert main(["restore", "alice"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "restored dataset lj@v1",
        "restored base narrator@v1",
        "restored voice alice@v1",
    ]
    assert main(["rm", "alice"]) == 0
    assert main(["gc", "--days", "0", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["dry_run"], told["trash"][0]["ref"]) == (True, "alice@v1")
    assert main(["gc", "--days", "0"]) == 0
    assert "voice alice@v1, removed" in capsys.readouterr().out
    assert main(["restore", "alice"]) == 2
    assert main(["restore"]) == 0
    assert capsys.readouterr().out == "Nothing in the trash\n"


def test_gc_deletes_nothing_while_a_manifest_cannot_be_read(alice: Artifact, home: Path, capsys):
    assert main(["rm", "alice"]) == 0
    rotten(Store(home).find("lj"), "manifest.json")
    capsys.readouterr()
    assert main(["gc", "--days", "0"]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["restore", "alice"]) == 0


def test_export_and_import_show_consent_and_licence(home: Path, tmp_path: Path, capsys):
    with Store(home).stage("voice", "alice") as staged:
        (staged.directory / "weights.bin").write_bytes(bytes(100))
        staged.publish(fingerprint="0" * 64, settings={}, consent="Alice, to read aloud", licence="CC-BY-4.0")
    assert main(["export", "alice", "-o", "alice.voxgrad", "-q"]) == 0
    told = capsys.readouterr().out
    assert main(["import", "alice.voxgrad", "--home", str(tmp_path / "other"), "-q"]) == 0
    also_told = capsys.readouterr().out
    for text in (told, also_told):
        assert "Alice, to read aloud" in text
        assert "CC-BY-4.0" in text
    assert main(["import", "alice.voxgrad", "--home", str(tmp_path / "other"), "-q", "--json"]) == 0
    (arrival,) = json.loads(capsys.readouterr().out)["artifacts"]
    assert (arrival["new"], arrival["consent"]) == (False, "Alice, to read aloud")


def test_export_with_parents_and_by_default(alice: Artifact, capsys):
    assert main(["export", "alice", "-q"]) == 0
    with zipfile.ZipFile("alice-v1.voxgrad") as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"voice"}
    assert main(["export", "alice", "--with-parents", "-o", "all.voxgrad", "-q"]) == 0
    with zipfile.ZipFile("all.voxgrad") as archive:
        assert archive.namelist()[0] == "voice/alice/v1/manifest.json"
        assert {name.split("/")[0] for name in archive.namelist()} == {"voice", "base", "dataset"}
    assert main(["export", "bob"]) == 2
    assert main(["export", "alice", "-o", "nowhere/alice.voxgrad"]) == 2
    assert main(["export", "alice", "-o", "."]) == 2
    rotten(alice)
    assert main(["export", "alice", "-o", "rotten.voxgrad"]) == 3
    assert not Path("rotten.voxgrad").exists()


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.voxgrad", b"<!DOCTYPE html><title>Sign in</title>", "web page"),
        ("a.pt", b"\n<html>", "web page"),
        ("a.voxgrad", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("a.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("a.voxgrad", b"PK\3\4 and no more", "not a complete voxgrad archive"),
        ("a.voxgrad", None, "there is no a.voxgrad"),
        ("a.pt", None, "there is no a.pt"),
        ("a.pt", b"weights", "--kind base"),
    ],
)
def test_what_is_no_file_of_ours_is_one_line(tmp_path: Path, capsys, name, content, complaint):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["import", name]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert complaint in err


def test_options_of_the_other_kind_of_file_are_refused(alice: Artifact, tmp_path: Path, capsys):
    assert main(["export", "alice", "-q"]) == 0
    torch.save({}, tmp_path / "a.pt")
    for arguments, option in (
        (["alice-v1.voxgrad", "--kind", "base"], "--kind"),
        (["alice-v1.voxgrad", "--licence", "MIT"], "--licence"),
        (["a.pt", "--kind", "base", "--limit", "3"], "--limit"),
    ):
        capsys.readouterr()
        assert main(["import", *arguments]) == 2
        assert f"Leave out {option}." in capsys.readouterr().err
    assert main(["import", "alice-v1.voxgrad", "--limit", "0.000001"]) == 2
    assert "more than the limit" in capsys.readouterr().err


@pytest.mark.usefixtures("untrusted_read_in_process")
def test_what_a_stranger_wrote_cannot_speak_to_the_terminal(tmp_path: Path, capsys):
    with zipfile.ZipFile("evil.voxgrad", "w") as archive:
        archive.writestr("voice/alice/v1/\x1b[2Jgone", b"")
    torch.save({"\x1b[2Jgone": torch.zeros(1)}, tmp_path / "evil.pt")
    assert main(["import", "evil.voxgrad"]) == 2
    asked = ["--kind", "base", "--pe-scale", "1", "--text-frontend", "official"]
    assert main(["import", "evil.pt", *asked]) == 2
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert err.count("\n") == 2


def test_a_listing_of_the_trash_fits_eighty_columns(home: Path, publish, capsys):
    publish(home, "voice", "x" * 64)
    assert main(["rm", "x" * 64]) == 0
    assert collect(Store(home), trash_age=timedelta(days=1)).trash == ()
    capsys.readouterr()
    assert main(["restore"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may do anything")
def test_a_home_that_may_not_be_written_is_the_machines_fault(alice: Artifact, home: Path, capsys):
    (home / "artifacts" / "voice" / "alice").chmod(0o555)
    assert main(["rm", "alice"]) == 4
    assert capsys.readouterr().err.count("\n") == 1
