"""`voxgrad vocoder train`: made, found again, gone on from, used, and refused."""

import json

import pytest

FEW = ("vocoder", "train", "--data", "robot", "--preset", "vocoder-tiny", "--set", "copies=0")


def test_a_dataset_becomes_a_vocoder_that_speaks(furnished, command):
    made = command(*FEW, "--name", "own", "--half", "--json", "-q")
    assert made.code == 0, made.err
    told = json.loads(made.out)
    assert told["vocoder"] == "own@v1"
    assert set(told["metrics"]["held_out"]) == {"spectral", "mel"}
    artifact = furnished.find("own", "vocoder")
    assert {entry.path for entry in artifact.manifest.files} == {
        *("vocoder.json", "weights.safetensors", "log.jsonl", "curves.png")
    }
    for entry in artifact.manifest.files:
        artifact.path(entry.path)
    assert list((furnished.home / "runs").iterdir()) == []

    again = command(*FEW, "--name", "own", "--half")
    assert again.code == 0
    assert "own@v1 is up to date" in again.err

    further = command(*FEW, "--name", "further", "--from", "own", "-q")
    assert further.code == 0, further.err
    assert furnished.find("further", "vocoder").manifest.parents["start"].ref == "own@v1"

    spoken = command("say", "hello", "--vocoder", "further", "--steps", "2", "--json", "-q")
    assert spoken.code == 0, spoken.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--preset", "fast"), "there is no preset fast"),
        (("--set", "stages.0.crop=8"), "stages.0.crop"),
        (("--from", "nobody"), "no vocoder 'nobody'"),
        (("--data", "nothing"), "no dataset 'nothing'"),
        (("--set", "copies=-1"), "copies"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_cannot_be_is_refused(furnished, refused, arguments, says):
    assert says in refused(*FEW, *arguments)


def test_help_names_the_command(command):
    told = command("vocoder", "--help")
    assert told.code == 0
    assert "train" in told.out
