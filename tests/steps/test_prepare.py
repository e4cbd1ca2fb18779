import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.torch import load_file

from voxgrad.audio.io import Waveform
from voxgrad.audio.measures import loudness
from voxgrad.store import Artifact, Store
from voxgrad.text.tokens import vocabulary_size

TEXTS = {"a": "The sun is warm.", "b": "Rain fell all day.", "c": "Two dogs ran home."}


@pytest.fixture
def folder(tmp_path: Path, record) -> Path:
    """Three recordings in a list."""
    record(tmp_path / "voice", TEXTS)
    write_list(tmp_path / "voice", *(f"{name}|{text}" for name, text in TEXTS.items()))
    return tmp_path / "voice"


@pytest.fixture
def prepare(tmp_path: Path, command):
    """Prepares and gives the dataset."""

    def prepare(*arguments: object) -> Artifact:
        outcome = command("prepare", *arguments, "--json")
        assert outcome.code == 0, outcome.err
        return Store.open(tmp_path / "home").find(json.loads(outcome.out)["dataset"], "dataset")

    return prepare


def write_list(folder: Path, *lines: str) -> None:
    (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")


def rows(dataset: Artifact, name: str) -> list[dict]:
    return [json.loads(line) for line in dataset.path(name).read_text(encoding="utf-8").split("\n") if line]


def reasons(dataset: Artifact) -> dict[str, str]:
    return {row["id"]: row["reason"] for row in rows(dataset, "rejected.jsonl")}


def test_a_dataset_holds_tokens_mels_durations_and_clean_audio(chain):
    clips = rows(chain.dataset, "clips.jsonl")
    mels = load_file(chain.dataset.path("mels.safetensors"))
    assert [clip["id"] for clip in clips] == sorted(mels)
    for clip in clips:
        samples, rate = soundfile.read(chain.dataset.path(f"audio/{clip['id']}.flac"))
        assert rate == 22050
        assert clip["seconds"] == pytest.approx(len(samples) / rate, abs=1e-4)
        assert mels[clip["id"]].shape == (80, clip["frames"])
        assert clip["frames"] == len(samples) // 256
        assert loudness(Waveform(samples.astype(np.float32), rate)) == pytest.approx(-23, abs=0.1)
        assert all(0 < token < vocabulary_size for token in clip["tokens"])
        assert clip["speaker"] == "robot"
    metrics = chain.dataset.manifest.metrics
    assert (metrics["clips"], metrics["rejected"], metrics["speakers"]) == (10, 0, {"robot": 10})
    assert metrics["seconds"] == pytest.approx(sum(clip["seconds"] for clip in clips), abs=0.01)
    assert metrics["tokens"] == sum(len(clip["tokens"]) for clip in clips)
    assert reasons(chain.dataset) == {}


def test_the_settings_are_recorded_in_full(chain):
    settings = chain.dataset.manifest.settings
    assert settings["audio"]["mel"]["hop_length"] == 256
    assert settings["text"] == {"frontend": "voxgrad", "add_blank": True}


def test_the_frontend_is_kept(folder: Path, prepare):
    official = prepare(folder, "--text-frontend", "official")
    ours = prepare(folder)
    assert official.manifest.settings["text"]["frontend"] == "official"
    assert official.version != ours.version
    assert rows(official, "clips.jsonl")[0]["tokens"] != rows(ours, "clips.jsonl")[0]["tokens"]


def test_two_jobs_make_the_same_dataset_as_one(chain, prepare, synthetic):
    (chain.recordings / "unused").mkdir(exist_ok=True)
    dataset = prepare(chain.recordings, "--name", "robot", "--jobs", "2", *synthetic)
    assert dataset.manifest.files == chain.dataset.manifest.files
    assert dataset.manifest.metrics == chain.dataset.manifest.metrics
    assert dataset.manifest.fingerprint == chain.dataset.manifest.fingerprint


def test_what_cannot_be_used_is_left_out_with_its_reason(folder: Path, prepare, command, record):
    record(folder, {"short": TEXTS["a"]})
    (folder / "broken.wav").write_bytes(b"RIFF but no more")
    (folder / "empty.wav").touch()
    (folder / "truncated.wav").write_bytes((folder / "a.wav").read_bytes()[:2000])
    soundfile.write(folder / "nan.wav", np.full(22050, np.nan, np.float32), 22050, subtype="FLOAT")
    soundfile.write(folder / "silent.wav", np.zeros(22050, np.float32), 22050)
    listed = [f"{name}|{text}" for name, text in TEXTS.items()]
    broken = [f"{name}|A text." for name in ("broken", "empty", "truncated", "nan", "silent", "gone")]
    listed += [*broken, f"short|{'A text that is much too long for it. ' * 4}", "a|Once more.", "russian|Да."]
    record(folder, {"russian": TEXTS["b"]})
    write_list(folder, *listed)
    dataset = prepare(folder)
    assert dataset.manifest.metrics["clips"] == 3
    assert dataset.manifest.metrics["rejected"] == 9
    found = reasons(dataset)
    for name, reason in {
        "broken": "cut short",
        "empty": "empty (0 bytes)",
        "truncated": "cut short",
        "nan": "not finite",
        "silent": "silent",
        "gone": "no recording gone",
        "short": "too short for its text",
        "a": "occurs twice",
        "russian": "",
    }.items():
        assert reason in found[name]
    assert str(folder) not in dataset.path("rejected.jsonl").read_text(encoding="utf-8")
    again = command("prepare", folder, "--name", "other")
    assert again.err.count("warning: left out ") == 9
    assert "9 left out" in again.out


def test_many_rejections_do_not_flood(folder: Path, command):
    lines = [f"{name}|{text}" for name, text in TEXTS.items()]
    write_list(folder, *lines, *(f"gone{number}|A text." for number in range(50)))
    outcome = command("prepare", folder, "-q")
    assert outcome.code == 0
    assert outcome.err.count("\n") == 22
    assert (
        "50 of 53 lines of metadata.csv cannot be used; it was read as ljspeech, which fits best"
        in outcome.err
    )
    assert "left out 30 more; see rejected.jsonl" in outcome.err


def test_nothing_usable_is_refused_with_the_first_reason(folder: Path, refused):
    for name in TEXTS:
        (folder / f"{name}.wav").write_bytes(b"RIFF but no more")
    line = refused("prepare", folder)
    assert "none of the 3 recordings in " in line
    assert "the first for this: a: a.wav is cut short" in line
    for name in TEXTS:
        (folder / f"{name}.wav").unlink()
    assert "no recording a in the folder" in refused("prepare", folder)


@pytest.mark.parametrize(
    ("listed", "word"),
    [
        (b"c\x81f\x8f|Text.", "no text in UTF-8"),
        (b"", "no lines"),
        (b"only names\nand more\n", "not `name|text`"),
        (b"../outside|Text.\n", "../outside is a path that leads out"),
        (b"../outside.wav|Text.\n", "../outside.wav is a path that leads out"),
        (b"/etc/passwd.wav|Text.\n", "no recording passwd.wav"),
    ],
)
def test_a_list_without_a_good_line_is_refused(listed: bytes, word: str, folder: Path, refused, record):
    record(folder.parent, {"outside": TEXTS["a"]})
    (folder / "metadata.csv").write_bytes(listed)
    assert word in refused("prepare", folder)


def test_a_folder_without_transcripts_is_refused(folder: Path, refused, tmp_path: Path):
    (folder / "metadata.csv").unlink()
    assert "contains no transcripts" in refused("prepare", folder)
    assert "there is no folder" in refused("prepare", tmp_path / "nowhere")
    assert "there is no folder" in refused("prepare", folder / "a.wav")
    assert "no transcript list" in refused("prepare", folder, "--transcripts", "nowhere.txt")


def test_a_name_that_cannot_be_is_refused(folder: Path, refused):
    assert "for example 'my-voice'" in refused("prepare", folder, "--name", "My Voice")


def test_the_name_is_made_of_the_folders(folder: Path, prepare, monkeypatch: pytest.MonkeyPatch):
    assert prepare(folder).ref == "voice@v1"
    monkeypatch.chdir(folder)
    assert prepare(".").ref == "voice@v1"
    renamed = folder.rename(folder.with_name("My Größe 1.1"))
    assert prepare(renamed).name == "my-gr-e-1.1"
    (renamed / "wavs").mkdir()
    for name in TEXTS:
        (renamed / f"{name}.wav").rename(renamed / "wavs" / f"{name}.wav")
    assert prepare(renamed / "wavs").ref == "my-gr-e-1.1@v1"


def test_names_with_spaces_and_other_scripts_and_folders(tmp_path: Path, prepare, record):
    folder = tmp_path / "with spaces"
    record(folder, {"one two/größe 1.wav": TEXTS["a"], "声.wav": TEXTS["b"]})
    write_list(folder, f"one two/größe 1.wav|{TEXTS['a']}|Änn", f"./声.wav|{TEXTS['b']}|Bob O'B")
    dataset = prepare(folder)
    assert [clip["id"] for clip in rows(dataset, "clips.jsonl")] == ["one two-größe 1", "声"]
    assert dataset.manifest.metrics["speakers"] == {"Änn": 1, "Bob O'B": 1}
    assert dataset.path("audio/声.flac").is_file()


def test_a_line_separator_within_a_text_does_not_split_the_dataset(folder: Path, prepare):
    write_list(folder, "a|The sun\u2028is warm.", f"b|{TEXTS['b']}")
    assert [clip["text"] for clip in rows(prepare(folder), "clips.jsonl")] == list(TEXTS.values())[:2]


def test_another_text_or_recording_is_another_dataset(folder: Path, prepare, record):
    assert prepare(folder).version == 1
    assert prepare(folder).version == 1
    write_list(folder, *(f"{name}|{text}" for name, text in TEXTS.items()), "gone|Text.")
    assert prepare(folder).version == 2
    record(folder, {"a": TEXTS["a"]}, f0=200.0)
    assert prepare(folder).version == 3
    (folder / "unlisted.wav").touch()
    assert prepare(folder).version == 3


def test_a_recording_that_may_not_be_read_is_left_out(folder: Path, prepare, monkeypatch: pytest.MonkeyPatch):
    opened = Path.open

    def deny(path: Path, *arguments, **options):
        if path.name == "b.wav":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", deny)
    assert reasons(prepare(folder)) == {"b": "b.wav cannot be read (Permission denied)"}


def test_unknown_words_are_counted(folder: Path, prepare):
    write_list(folder, "a|Sun zzyzxq.", "b|Rain.", "c|Zzyzxq.")
    assert prepare(folder).manifest.metrics["unknown_words"] == {"zzyzxq": 2}
