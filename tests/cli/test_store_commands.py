"""The store's commands: what they answer, and the exit codes of everything that can be wrong."""

import json
import os
import zipfile
from pathlib import Path

import pytest
import torch
from rich.console import Console

from voxgrad.cli.main import main
from voxgrad.cli.store import entries_table
from voxgrad.store import Artifact, Store


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch) -> None:
    """What comes with the package would show in every list; files are written here."""
    monkeypatch.setattr("voxgrad.store.store.EMBEDDED", tmp_path / "none")
    monkeypatch.chdir(tmp_path)


def rotten(artifact: Artifact, file: str = "part000.bin") -> None:
    path = artifact.directory / file
    path.chmod(0o644)
    path.write_bytes(bytes([1]) + path.read_bytes()[1:])


def test_ls_is_a_table_and_marks_the_damaged(alice: Artifact, home: Path, done):
    rotten(Store(home).find("narrator"), "manifest.sha256")
    lines = done("ls").out.splitlines()
    assert lines[0].split() == ["kind", "ref", "created", "size", "from"]
    created = alice.manifest.created[:10]
    assert lines[3].split() == ["voice", "alice@v1", created, "1.5", "kB", "narrator@v1,", "lj@v1"]
    assert lines[1].split()[:3] == ["base", "narrator@v1", "damaged"]
    told = json.loads(done("ls", "--json").out)["artifacts"]
    assert [one["damaged"] is None for one in told] == [False, True, True]
    assert told[2]["parents"] == {"base": "narrator@v1", "dataset": "lj@v1"}


def test_ls_fits_eighty_columns(publish, home: Path, alice: Artifact):
    publish(home, "voice", "x" * 64, {"base": alice})
    console = Console(width=80, file=open(os.devnull, "w"), record=True)  # noqa: SIM115, PTH123
    console.print(entries_table(Store(home).scan()))
    console.file.close()
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "alice@v1" in text


def test_an_empty_store_says_so(home: Path, done):
    assert done("ls").out == f"Nothing yet in {home}\n"
    assert json.loads(done("ls", "--json").out) == {"home": str(home), "artifacts": []}
    assert not home.exists()


def test_show_and_the_tree_tell_all_of_it(alice: Artifact, done):
    assert done("ls", "--tree").out.splitlines() == [
        "dataset lj@v1, 1.5 kB",
        "├── base narrator@v1, 1.5 kB",
        "│   └── voice alice@v1, 1.5 kB",
        "└── voice alice@v1, 1.5 kB (see above)",
    ]
    done("ls", "voice", "--tree", code=2)
    text = done("show", "alice").out
    for part in ("voice alice@v1", alice.digest, "loss", "0.123457", "mel.n_fft", "1024", "part000.bin", "1.5 kB"):
        assert part in text
    tree = [line.strip(" │├└─") for line in text[text.index("made from") :].splitlines()[1:]]
    assert tree == ["base: narrator@v1, 1.5 kB", "dataset: lj@v1, 1.5 kB", "dataset: lj@v1, 1.5 kB"]
    told = json.loads(done("show", "alice", "--json").out)
    assert (told["size"], told["size_with_lineage"], told["lineage"][0]["size"]) == (1500, 4500, 1500)
    made = done("show", "lj").out
    assert "base   narrator@v1" in made
    assert "voice  alice@v1" in made


def test_show_and_the_tree_mark_parents_that_are_gone_or_damaged(alice: Artifact, home: Path, done):
    (home / "artifacts" / "base" / "narrator" / "v1").rename(home / "away")
    rotten(Store(home).find("lj"), "manifest.json")
    text = done("show", "alice").out
    assert "base: narrator@v1 (missing)" in text
    assert "dataset: lj@v1 (damaged)" in text
    told = json.loads(done("show", "alice", "--json").out)
    assert [(one["role"], one["state"]) for one in told["lineage"]] == [("base", "missing"), ("dataset", "damaged")]
    assert told["manifest"]["parents"]["base"]["ref"] == "narrator@v1"
    done("show", "lj", code=3)
    assert done("ls", "--tree").out.splitlines() == [
        "dataset lj@v1, damaged",
        "└── voice alice@v1, 1.5 kB (missing: base narrator@v1)",
    ]


def test_show_does_not_flood_the_terminal_with_files(publish, home: Path, done):
    publish(home, "dataset", "large", files=30)
    text = done("show", "large").out
    assert "and 10 more" in text
    assert "part029.bin" not in text
    assert len(json.loads(done("show", "large", "--json").out)["manifest"]["files"]) == 30


def test_verify_says_what_is_damaged_and_what_depends_on_it(alice: Artifact, home: Path, done):
    assert done("verify").out == "3 artifacts, all intact\n"
    rotten(Store(home).find("lj"))
    done("verify", "--quick")
    answer = done("verify", code=3)
    assert answer.out.splitlines() == [
        "dataset lj@v1",
        "  The file part000.bin of dataset lj@v1 has changed since it was published",
        "  made from it: base narrator@v1, voice alice@v1",
        "damaged: 1 of 3; `voxgrad import` replaces it with an intact copy, `voxgrad rm` removes it",
    ]
    assert "error" not in answer.err
    done("verify", "alice", "-q")
    told = json.loads(done("verify", "lj", "--json", "-q", code=3).out)
    assert told["verified"] == 1
    assert told["damaged"][0]["dependents"] == ["base narrator@v1", "voice alice@v1"]
    # What cannot be read has a reference too.
    rotten(alice, "manifest.json")
    assert "does not match its digest" in done("verify", "alice", code=3).out
    done("verify", "bob", code=2)


def test_rm_restore_and_gc(alice: Artifact, home: Path, done):
    assert "needed by base narrator@v1 and 1 more" in done("rm", "lj", code=2).err
    assert done("rm", "lj", "--cascade").out.splitlines() == [
        "removed voice alice@v1",
        "removed base narrator@v1",
        "removed dataset lj@v1",
    ]
    assert done("restore").out.splitlines()[1].split()[:2] == ["dataset", "lj@v1"]
    assert done("gc").out == "freed 0 B\n"
    assert done("restore", "alice").out.splitlines() == [
        "restored dataset lj@v1",
        "restored base narrator@v1",
        "restored voice alice@v1",
    ]
    done("rm", "alice")
    told = json.loads(done("gc", "--days", "0", "--dry-run", "--json").out.splitlines()[-1])
    assert (told["dry_run"], told["trash"][0]["ref"]) == (True, "alice@v1")
    assert "voice alice@v1, removed" in done("gc", "--days", "0").out
    done("restore", "alice", code=2)
    assert done("restore").out == "Nothing in the trash\n"


def test_export_and_import_show_consent_and_licence(home: Path, tmp_path: Path, done):
    with Store(home).stage("voice", "alice") as staged:
        (staged.directory / "weights.bin").write_bytes(bytes(100))
        staged.publish(fingerprint="0" * 64, settings={}, consent="Alice, to read aloud", licence="CC-BY-4.0")
    told = done("export", "alice", "-o", "alice.voxgrad", "-q").out
    also_told = done("import", "alice.voxgrad", "--home", str(tmp_path / "other"), "-q").out
    for text in (told, also_told):
        assert "Alice, to read aloud" in text
        assert "CC-BY-4.0" in text
    again = done("import", "alice.voxgrad", "--home", tmp_path / "other", "-q", "--json")
    (arrival,) = json.loads(again.out)["artifacts"]
    assert (arrival["new"], arrival["consent"]) == (False, "Alice, to read aloud")


def test_export_with_parents_and_by_default(alice: Artifact, done):
    done("export", "alice", "-q")
    with zipfile.ZipFile("alice-v1.voxgrad") as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"voice"}
    done("export", "alice", "--with-parents", "-o", "all.voxgrad", "-q")
    with zipfile.ZipFile("all.voxgrad") as archive:
        assert archive.namelist()[0] == "voice/alice/v1/manifest.json"
        assert {name.split("/")[0] for name in archive.namelist()} == {"voice", "base", "dataset"}
    done("export", "bob", code=2)
    done("export", "alice", "-o", "nowhere/alice.voxgrad", code=2)
    done("export", "alice", "-o", ".", code=2)
    rotten(alice)
    done("export", "alice", "-o", "rotten.voxgrad", code=3)
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
def test_what_is_no_file_of_ours_is_one_line(tmp_path: Path, name, content, complaint, refused):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert complaint in refused("import", name)


def test_options_of_the_other_kind_of_file_are_refused(alice: Artifact, tmp_path: Path, done):
    done("export", "alice", "-q")
    torch.save({}, tmp_path / "a.pt")
    for arguments, option in (
        (["alice-v1.voxgrad", "--kind", "base"], "--kind"),
        (["alice-v1.voxgrad", "--licence", "MIT"], "--licence"),
        (["a.pt", "--kind", "base", "--limit", "3"], "--limit"),
    ):
        assert f"Leave out {option}." in done("import", *arguments, code=2).err
    assert "more than the limit" in done("import", "alice-v1.voxgrad", "--limit", "0.000001", code=2).err


@pytest.mark.usefixtures("untrusted_read_in_process")
def test_what_a_stranger_wrote_cannot_speak_to_the_terminal(tmp_path: Path, done):
    with zipfile.ZipFile("evil.voxgrad", "w") as archive:
        archive.writestr("voice/alice/v1/\x1b[2Jgone", b"")
    torch.save({"\x1b[2Jgone": torch.zeros(1)}, tmp_path / "evil.pt")
    asked = ["--kind", "base", "--pe-scale", "1", "--text-frontend", "official"]
    for arguments in (["evil.voxgrad"], ["evil.pt", *asked]):
        answer = done("import", *arguments, code=2)
        assert "\x1b" not in answer.out + answer.err
        assert answer.err.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may do anything")
def test_a_home_that_may_not_be_written_is_the_machines_fault(alice: Artifact, home: Path, done):
    (home / "artifacts" / "voice" / "alice").chmod(0o555)
    assert done("rm", "alice", code=4).err.count("\n") == 1


def test_speakers_are_listed_as_voice_takes_them(furnished, done, command, tmp_path):
    assert [one["name"] for one in json.loads(done("ls", "speakers", "--json").out)["speakers"]] == [
        "robot",
        "robots",
        "robots:robot",
    ]
    plain = "--vocoder", "griffinlim", "--steps", "1", "-o", str(tmp_path / "out.wav")
    done("say", "Hello.", "--voice", "robots:robot", *plain)
    refused = command("say", "Hello.", "--voice", "robots:nobody", *plain)
    assert refused.code == 2
    assert "no speaker nobody" in refused.err
    refused = command("say", "Hello.", "--voice", "robots:robot", "--speaker", "other", *plain)
    assert "--voice and --speaker both name a speaker" in refused.err


def test_a_shell_completes_commands(monkeypatch, capsys):
    for name, value in {"VOXGRAD_COMPLETE": "complete_bash", "COMP_WORDS": "voxgrad fi", "COMP_CWORD": "1"}.items():
        monkeypatch.setenv(name if name.startswith("COMP") else f"_{name}", value)
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out == "finetune\n"


def test_a_name_that_a_voice_shares_means_the_voice_and_the_answer_says_what_comes_next(home: Path, publish, done):
    dataset = publish(home, "dataset", "lj")
    publish(home, "voice", "lj", {"dataset": dataset})
    shown = done("show", "lj")
    assert shown.out.startswith("voice lj@v1\n")
    assert shown.err == '  next: voxgrad say "hello" --voice lj@v1 -o hello.wav\n'
    assert "holds    voice lj@v1" in done("export", "lj").out
    assert done("show", "dataset/lj").err == "  next: voxgrad finetune --data lj@v1\n"
    assert done("rm", "voice/lj").err == "  next: voxgrad restore voice/lj@v1\n"
    assert done("restore").err == "  next: voxgrad restore voice/lj@v1\n"
    assert done("ls", "--json").err == ""
