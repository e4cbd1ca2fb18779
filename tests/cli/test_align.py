"""`voxgrad align`: which model aligns what, the answer, and what is refused."""

import json

import pytest


def test_a_dataset_is_aligned_by_the_newest_voice(furnished, done, tmp_path):
    made = done("align", "robot", "-o", "grids", "--json", "-q")
    answer = json.loads(made.out)
    assert answer["files"] == 10 == len(list((tmp_path / "grids").glob("*.TextGrid")))
    assert (answer["source"], answer["voice"]) == ("robot@v1", "robot@v1")
    assert answer["log_likelihood"] < 0
    assert {path.name for path in tmp_path.iterdir()} == {"home", "grids"}


def test_a_base_aligns_when_it_is_named(furnished, done):
    made = done("align", "dataset/robot", "-o", "grids", "--voice", "robots", "-q")
    assert "10 TextGrids of robot@v1 by base robots@v1" in made.out


def test_a_voice_gives_its_own_alignments(furnished, done, tmp_path):
    for ref in ("voice/robot", "robots"):
        done("align", ref, "-o", "grids", "--force", "-q")
        assert len(list((tmp_path / "grids").iterdir())) == 10


def test_only_grids_are_replaced_and_only_when_asked(furnished, command, refused, tmp_path, done):
    (tmp_path / "grids").mkdir()
    assert command("align", "robot", "-o", "grids", "-q").code == 0  # an empty folder is no obstacle
    (tmp_path / "grids" / "extra.TextGrid").write_text("")
    assert "Replace them with --force" in refused("align", "robot", "-o", "grids")
    done("align", "robot", "-o", "grids", "--force", "-q")
    assert not (tmp_path / "grids" / "extra.TextGrid").exists()
    (tmp_path / "grids" / "notes.txt").write_text("mine")
    assert "notes.txt" in refused("align", "robot", "-o", "grids", "--force")
    assert (tmp_path / "grids" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["robt", "-o", "grids"], "Did you mean robot?"),
        (["speech/robot", "-o", "grids"], "is a speech"),
        (["robot", "-o", "no/grids"], "the folder no does not exist"),
        (["robot", "-o", "home"], "which is not a TextGrid"),
        (["voice/robot", "-o", "grids", "--voice", "robots"], "Leave out --voice"),
        (["robot", "-o", "grids", "--voice", "dataset/robot"], "is a dataset"),
        (["robot", "-o", "grids", "--voice", "nobody"], "nobody"),
        (["robot"], "output"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused(furnished, refused, arguments, word):
    assert word in refused("align", *arguments)


def test_a_file_in_the_way_is_refused(furnished, refused, tmp_path):
    (tmp_path / "grids").write_text("")
    assert "grids already exists" in refused("align", "robot", "-o", "grids")


def test_a_voice_from_before_alignments_were_kept(furnished, command, refused):
    voice = furnished.find("robot", "voice")
    with furnished.stage("voice", "older") as staged:
        (staged.directory / "weights.safetensors").write_bytes(voice.path("weights.safetensors").read_bytes())
        staged.publish(fingerprint="0" * 64, settings=voice.manifest.settings, parents=voice.manifest.parents)
    line = refused("align", "older", "-o", "grids")
    assert "has no stored alignments" in line
    assert "--voice voice/older@v1" in line


def test_a_voice_whose_dataset_is_gone(furnished, refused):
    furnished.find("robot", "dataset").directory.rename(furnished.home / "elsewhere")
    assert "dataset" in refused("align", "voice/robot", "-o", "grids")
