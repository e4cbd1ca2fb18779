"""What `voxgrad demo` tells; its steps have tests of their own."""

import importlib
import json

import pytest

demo = importlib.import_module("voxgrad.cli.demo")
train = importlib.import_module("voxgrad.cli.train")


@pytest.fixture
def quick(furnished, monkeypatch, tmp_path):
    """A demonstration whose base, voice and card were made before."""
    voice = furnished.find("robot", "voice")
    monkeypatch.setattr(demo, "_clone", lambda *_, **__: voice)
    (tmp_path / "said.wav").touch()
    monkeypatch.setattr(demo, "_say", lambda *_: tmp_path / "said.wav")
    monkeypatch.setattr(train, "card_or_none", lambda *_: str(voice.directory / "card.html"))
    return voice


def test_paths_below_the_current_directory_are_told_without_it(quick, command, tmp_path):
    told = command("demo", tmp_path, "-o", "demo", "-q")
    assert told.code == 0, told.err
    assert str(tmp_path) not in told.out
    assert "demo/voice.wav" in told.out
    assert "home/artifacts/voice/robot/v1/curves.png" in told.out
    assert "home/artifacts/voice/robot/v1/card.html" in told.out


def test_other_paths_are_told_in_full(quick, command, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    told = command("demo", tmp_path, "-q")
    assert str(quick.directory / "curves.png") in told.out
    page = json.loads(command("demo", tmp_path, "-q", "--json").out)["card"]
    assert page == str(quick.directory / "card.html")
