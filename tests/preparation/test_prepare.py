"""What prepare makes of a folder, and whose voice it is."""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.torch import load_file

from tests.preparation.conftest import TEXTS, rows, write_list
from voxgrad.audio.io import Waveform
from voxgrad.audio.loudness import loudness
from voxgrad.preparation.phones import counts, frequencies, phones_of
from voxgrad.settings import TextSpec
from voxgrad.store import Artifact, Store
from voxgrad.text.symbols import VOCABULARY_SIZE
from voxgrad.text.tokens import encode


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
        assert all(0 < token < VOCABULARY_SIZE for token in clip["tokens"])
        assert clip["speaker"] == "robot"
    metrics = chain.dataset.manifest.metrics
    assert (metrics["clips"], metrics["rejected"], metrics["speakers"]) == (10, 0, {"robot": 10})
    assert metrics["seconds"] == pytest.approx(sum(clip["seconds"] for clip in clips), abs=0.01)
    assert metrics["tokens"] == sum(len(clip["tokens"]) for clip in clips)
    assert reasons(chain.dataset) == {}
    settings = chain.dataset.manifest.settings
    assert settings["audio"]["mel"]["hop_length"] == 256
    assert settings["text"] == {"frontend": "voxgrad", "add_blank": True}


def test_the_frontend_is_kept(folder: Path, prepare):
    official = prepare(folder, "--text-frontend", "official")
    ours = prepare(folder)
    assert official.manifest.settings["text"]["frontend"] == "official"
    assert official.version != ours.version
    assert rows(official, "clips.jsonl")[0]["tokens"] != rows(ours, "clips.jsonl")[0]["tokens"]


def test_texts_in_another_language_and_its_phones_in_the_report(folder: Path, prepare):
    (folder / "metadata.csv").write_text("a|Die Sonne ist schön.\nb|Es regnet.", encoding="utf-8")
    prepare(folder, "--language", "pl")
    assert "does not speak Polish, so transcripts are not checked" in prepare.err
    dataset = prepare(folder, "--language", "de", "--keep-all")
    assert dataset.manifest.settings["text"]["language"] == "de"
    report = dataset.path("report.html").read_text(encoding="utf-8")
    assert "Phones, compared with German" in report
    assert '<p class="text" lang="de">Die Sonne ist schön.</p>' in report
    assert "Rare now: " in report


@pytest.mark.parametrize(
    ("language", "text", "phone"), [("en", "Measure it.", "ZH"), ("es", "El niño.", "ɲ"), ("de", "Zwölf Köche.", "œ")]
)
def test_phones_are_counted_from_tokens_as_from_the_text(language, text, phone):
    found = counts(encode(text, TextSpec(language=language)).tokens, language)
    assert found[phone] == 1 + (phone == "œ")
    assert {name: count for name, count in found.items() if count} == Counter(phones_of(text, language))
    assert list(found) == list(frequencies(language))


def test_two_jobs_make_the_same_dataset_as_one(chain, prepare):
    (chain.recordings / "unused").mkdir(exist_ok=True)
    dataset = prepare(chain.recordings, "--name", "robot", "--jobs", "2")
    assert dataset.manifest.files == chain.dataset.manifest.files
    assert dataset.manifest.metrics == chain.dataset.manifest.metrics
    assert dataset.manifest.fingerprint == chain.dataset.manifest.fingerprint


def test_many_rejections_do_not_flood(folder: Path, command):
    write_list(folder, TEXTS, *(f"gone{number}|A text." for number in range(50)), "a|Once more.")
    outcome = command("prepare", folder, "-q")
    assert outcome.code == 0
    assert outcome.err.count("\n") == 22
    assert "50 of 54 lines of metadata.csv cannot be used; it was read as ljspeech" in outcome.err
    assert outcome.err.count("warning: left out ") == 21
    assert "left out 31 more; see rejected.jsonl" in outcome.err
    assert "51 left out" in outcome.out


def test_nothing_usable_is_refused_with_the_first_reason(folder: Path, refused):
    for name in TEXTS:
        (folder / f"{name}.wav").write_bytes(b"RIFF but no more")
    line = refused("prepare", folder)
    assert "none of the 3 recordings in " in line
    assert "first problem: a: a.wav is truncated" in line
    for name in TEXTS:
        (folder / f"{name}.wav").unlink()
    assert "no recording a in the folder" in refused("prepare", folder)


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
    write_list(folder, {"one two/größe 1.wav": f"{TEXTS['a']}|Änn", "./声.wav": f"{TEXTS['b']}|Bob O'B"})
    dataset = prepare(folder)
    assert [clip["id"] for clip in rows(dataset, "clips.jsonl")] == ["one two-größe 1", "声"]
    assert dataset.manifest.metrics["speakers"] == {"Änn": 1, "Bob O'B": 1}
    assert dataset.path("audio/声.flac").is_file()


def test_a_line_separator_within_a_text_does_not_split_the_dataset(folder: Path, prepare):
    write_list(folder, {"a": "The sun\u2028is warm.", "b": TEXTS["b"]})
    assert [clip["text"] for clip in rows(prepare(folder), "clips.jsonl")] == list(TEXTS.values())[:2]


def test_a_recording_that_may_not_be_read_is_left_out(folder: Path, prepare, monkeypatch: pytest.MonkeyPatch):
    opened = Path.open

    def deny(path: Path, *arguments, **options):
        if path.name == "b.wav":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", deny)
    assert reasons(prepare(folder)) == {"b": "b.wav cannot be read (Permission denied)"}


def statement(command, folder, *arguments: object) -> str | None:
    outcome = command("prepare", folder, *arguments, "--json")
    assert outcome.code == 0, outcome.err
    answer = json.loads(outcome.out)
    return answer["consent"]


def test_the_statement_is_the_speakers_or_a_reason(folder, command):
    agreed = ("--consent", "I  allow it.", "--speaker", "Ann Lee")
    assert statement(command, folder, *agreed) == "Ann Lee: I allow it."
    dataset = Store.open().find("voice", "dataset")
    assert dataset.manifest.consent == "Ann Lee: I allow it."
    assert dataset.manifest.metrics["speakers"] == {"Ann Lee": 3}
    assert statement(command, folder, "--no-consent-needed", "public domain") == "not needed: public domain"
    assert statement(command, folder) is None


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["1"], "not needed: my own voice"),
        (["5", "x", "3"], "not needed: public domain or synthetic"),
        (["2", "Ann Lee", "My voice for Bob's book."], "Ann Lee: My voice for Bob's book."),
        (["4"], None),
    ],
)
def test_a_person_at_a_terminal_is_asked(answers, expected, folder, command, monkeypatch):
    given = iter(answers)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda *words, **options: next(given))
    assert command("prepare", folder).code == 0
    assert Store.open().find("voice", "dataset").manifest.consent == expected
    assert not list(given)


def test_without_a_statement_nothing_is_cloned(chain, furnished, command, refused, steps):
    outcome = command("prepare", chain.recordings, "--name", "unsaid")
    assert "cannot be cloned yet" in outcome.out
    line = refused("finetune", "--data", "unsaid", "--base", "robots", *steps)
    assert "dataset unsaid@v1 has no statement that its voice may be cloned" in line
    assert 'voxgrad prepare DIR --name unsaid --no-consent-needed "my own voice"' in line


def test_the_statement_travels_to_the_speech(chain):
    consents = {one.manifest.consent for one in (chain.dataset, chain.voice, chain.speech)}
    assert consents == {"not needed: synthetic"}
