"""The whole chain through its commands: sound, artifacts, answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from defusedxml import ElementTree

from voxgrad.store import Store

ROOT = Path(__file__).parent.parent.parent

SAY = ("say", "Hello there.", "--voice", "robot", "--vocoder", "griffinlim", "--steps", "2")


def check_sound(path: Path, shortest: float = 0.2, longest: float = 8.0) -> None:
    """22.05 kHz, mono, of plausible length and not silent."""
    samples, rate = soundfile.read(path, always_2d=True)
    assert (rate, samples.shape[1]) == (22050, 1)
    assert shortest < len(samples) / rate < longest
    assert np.sqrt(np.mean(samples**2)) > 1e-3
    assert np.abs(samples).max() < 1.1  # what is lossy may overshoot a little


def check_picture(path: Path) -> None:
    """Well-formed, as wide as a phone, for light and dark mode, and no larger than it need be."""
    root = ElementTree.parse(path).getroot()
    assert root.get("width") == "360"
    assert "prefers-color-scheme: dark" in path.read_text(encoding="utf-8")
    assert 2_000 < path.stat().st_size < 200_000


def check_digests(artifact) -> None:
    for entry in artifact.manifest.files:
        artifact.path(entry.path)


def test_each_step_writes_one_artifact_whose_digests_check(chain):
    store = Store.open(chain.home)
    own = [artifact for artifact in store.list() if not artifact.embedded]
    assert sorted(artifact.kind for artifact in own) == ["base", "dataset", "speech", "voice"]
    for artifact in own:
        check_digests(artifact)
        listed = {entry.path for entry in artifact.manifest.files}
        lying = {p.relative_to(artifact.directory).as_posix() for p in artifact.directory.rglob("*") if p.is_file()}
        assert lying == listed | {"manifest.json", "manifest.sha256"}
    assert list((chain.home / "tmp").iterdir()) == []
    assert list((chain.home / "runs").iterdir()) == []


def test_every_artifact_names_its_parents_by_digest(chain):
    # What its transcripts were doubted with.
    assert [parent.ref for parent in chain.dataset.manifest.parents.values()] == ["english@v4"]
    assert chain.base.parent("dataset").digest == chain.dataset.digest
    assert chain.voice.parent("dataset").digest == chain.dataset.digest
    assert chain.voice.parent("base").digest == chain.base.digest
    assert chain.speech.parent("voice").digest == chain.voice.digest


def test_no_manifest_knows_where_it_was_made(chain):
    for artifact in (chain.dataset, chain.base, chain.voice, chain.speech):
        for path in [artifact.directory / "manifest.json", *artifact.directory.glob("*.json*")]:
            assert str(chain.recordings.parent) not in path.read_text(encoding="utf-8")
            assert str(chain.home) not in path.read_text(encoding="utf-8")


def test_what_is_said_can_be_heard(chain):
    check_sound(chain.sound)
    assert chain.sound.read_bytes() == chain.speech.path("speech.wav").read_bytes()


def test_the_pictures_are_small_and_readable(chain):
    for artifact, names in (
        (chain.base, ["curves.svg", "alignment.svg"]),
        (chain.voice, ["curves.svg", "alignment.svg"]),
    ):
        for name in names:
            check_picture(artifact.path(name))


def test_the_same_commands_make_nothing_new_and_answer_in_one_object(chain, furnished, command, steps, synthetic):
    before = {one.ref: one.digest for one in furnished.list()}
    for kind, arguments in {
        "dataset": ("prepare", chain.recordings, *synthetic),
        "base": ("pretrain", "--data", "robot", "--name", "robots", *steps),
        "voice": ("finetune", "--no-card", "--data", "robot", "--base", "robots", *steps),
        "speech": (*SAY, "-o", "b.wav"),
    }.items():
        outcome = command(*arguments, "--json")
        assert (outcome.code, outcome.out.count("\n")) == (0, 1), outcome.err
        assert ("@v1 is up to date" in outcome.err) == (kind != "speech")
        expected, answer = getattr(chain, kind), json.loads(outcome.out)
        assert answer[kind] == expected.ref
        assert answer["directory"] == str(furnished.find(expected.ref, kind).directory)
    assert Path("b.wav").read_bytes() == chain.sound.read_bytes()
    assert {one.ref: one.digest for one in furnished.list()} == before


@pytest.mark.parametrize(("ending", "kind"), [("flac", "FLAC"), ("ogg", "OGG"), ("WAV", "WAV")])
def test_the_ending_chooses_the_format(ending, kind, furnished, done):
    done(*SAY, "-o", f"out.{ending}")
    assert soundfile.info(f"out.{ending}").format == kind
    check_sound(Path(f"out.{ending}"))


def test_without_a_name_the_sound_is_called_like_the_speech(furnished, done):
    outcome = done("say", "Another text.", "--voice", "robot", "--vocoder", "griffinlim", "--steps", "1")
    assert outcome.out.startswith("robot-2.wav: ")
    check_sound(Path("robot-2.wav"))


def test_quiet_says_nothing_but_the_answer(chain, furnished, command):
    # Robots are no speakers of the base: one of their texts is doubted.
    outcome = command("prepare", chain.recordings, "--name", "again", "--base", "none", "-q")
    assert outcome.err == ""
    assert outcome.out.startswith("dataset again@v1: 10 clips, ")


def test_the_installed_command_does_the_same(chain, furnished, tmp_path):
    """In a process of its own, where nothing is imported yet and no thread is warm."""
    code = "from voxgrad.cli.main import run; run()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VOXGRAD_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", code, *SAY, "--json", "-o", "own.wav"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(done.stdout)["file"] == "own.wav"
    assert (tmp_path / "own.wav").read_bytes() == chain.sound.read_bytes()
