import json
import shutil

import numpy as np
import pytest

from voxgrad.voice.load import load_voice

FAST = ("--vocoder", "griffinlim", "--steps", "1")


def test_speed_is_the_share_of_the_length_and_temperature_zero_needs_no_seed(furnished):
    robot = load_voice(furnished, "robot", "griffinlim")
    # Slow on both sides, for no token is shorter than a frame.
    slow, twice, quick = (robot.say("A sentence, to measure.", steps=1, speed=speed) for speed in (0.3, 0.6, 5))
    assert twice.seconds == pytest.approx(slow.seconds / 2, rel=0.05)
    assert len(quick.samples) > 256
    still = [robot.say("Hello.", steps=1, temperature=0.0, seed=seed).samples for seed in (1, 2)]
    assert np.array_equal(*still)


def test_the_manifest_says_what_was_said_and_that_it_is_synthetic_and_the_words_follow_each_other(chain):
    settings = chain.speech.manifest.settings
    assert (settings["text"], settings["synthetic"], settings["synthesis"]["steps"]) == ("Hello there.", True, 2)
    assert chain.speech.manifest.seed == 0
    passages = json.loads(chain.speech.path("timings.json").read_text(encoding="utf-8"))
    words = [word for passage in passages for word in passage["words"]]
    assert [word["word"] for word in words] == ["hello", "there"]
    seconds = chain.speech.manifest.metrics["seconds"]
    borders = [border for word in words for border in (word["start"], word["stop"])]
    assert borders == sorted(borders)
    assert 0 < borders[0] < borders[-1] < seconds


def test_a_name_means_the_voice_before_base_and_dataset(chain, furnished, done):
    """Unless told otherwise, dataset, base, voice and speech all have one name."""
    shutil.copytree(furnished.home / "artifacts" / "base" / "robots", furnished.home / "artifacts" / "base" / "robot")
    outcome = done("say", "Hello there.", "--voice", "robot", *FAST, "--json")
    assert json.loads(outcome.out)["parents"] == {"voice": "robot@v1"}
    speech = furnished.find(json.loads(outcome.out)["speech"], "speech")
    assert speech.parent("voice").digest == chain.voice.digest


def test_a_base_can_speak_but_a_dataset_cannot(chain, furnished, command, refused):
    for ref in ("robots", "base/robots@v1", f"@sha256:{chain.base.digest[:12]}"):
        outcome = command("say", "Hello there.", "--voice", ref, *FAST, "--json")
        assert json.loads(outcome.out)["parents"] == {"voice": "robots@v1"}
    shutil.rmtree(furnished.home / "artifacts" / "voice")
    assert "robot is a dataset and cannot speak" in refused("say", "Hello.", "--voice", "robot", *FAST)


@pytest.mark.parametrize("file", ["weights.safetensors", "manifest.json"])
def test_a_damaged_voice_does_not_speak(file, furnished, done):
    path = furnished.find("robot", "voice").directory / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    outcome = done("say", "Hello.", "--voice", "robot", *FAST, "-q", code=3)
    assert "voice robot@v1" in outcome.err
    assert list((furnished.home / "tmp").iterdir()) == []
