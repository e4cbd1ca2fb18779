"""What `voxgrad demo` tells; its steps have tests of their own."""

import importlib
import json

demo = importlib.import_module("voxgrad.cli.demo")
train = importlib.import_module("voxgrad.cli.train")


def test_paths_below_the_current_directory_are_told_without_it(furnished, done, tmp_path, monkeypatch):
    """Base, voice and card were made before."""
    voice = furnished.find("robot", "voice")
    monkeypatch.setattr(demo, "_clone", lambda *_, **__: voice)
    (tmp_path / "said.wav").touch()
    monkeypatch.setattr(demo, "_say", lambda *_: tmp_path / "said.wav")
    monkeypatch.setattr(train, "card_or_none", lambda *_: voice)
    told = done("demo", tmp_path, "-o", "demo", "-q").out
    assert str(tmp_path) not in told
    for path in (
        "demo/voice.wav",
        "home/artifacts/voice/robot/v1/curves.svg",
        "home/artifacts/voice/robot/v1/card.html",
    ):
        assert path in told
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert str(voice.directory / "curves.svg") in done("demo", tmp_path, "-q").out
    assert json.loads(done("demo", tmp_path, "-q", "--json").out)["card"] == str(voice.directory / "card.html")
