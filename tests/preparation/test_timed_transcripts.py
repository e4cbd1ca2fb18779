"""Recordings that are cut by the times of their transcripts, and clips that are there twice."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from formant_synthesis import speak_phones

from tests.preparation.conftest import TEXTS, rows, write_list
from voxgrad.audio.silence import into_silence, trim
from voxgrad.settings import AudioSpec, TextSpec
from voxgrad.text.tokens import encode

RATE = 22050
SAID = tuple(TEXTS.values())


@pytest.fixture
def book(tmp_path: Path) -> tuple[Path, list[tuple[float, float]]]:
    """Three sentences in one recording, and the seconds of each."""
    folder = tmp_path / "book"
    folder.mkdir()
    gap = np.zeros(int(0.8 * RATE))
    parts, spans, at = [gap], [], 0.8
    for seed, text in enumerate(SAID):
        speech = speak_phones(encode(text, TextSpec(add_blank=False)).phones, seed)
        speech = trim(speech, AudioSpec(trim_margin=0.0)).samples
        spans.append((at, at + len(speech) / RATE))
        parts += [speech, gap]
        at = spans[-1][1] + 0.8
    sound = np.concatenate(parts)
    sound += np.random.default_rng(0).normal(0, 1e-4, len(sound))
    soundfile.write(folder / "book.wav", sound, RATE)
    return folder, spans


def labelled(folder: Path, spans: list[tuple[float, float]], texts=SAID) -> None:
    lines = [f"{start:.3f}\t{stop:.3f}\t{text}" for (start, stop), text in zip(spans, texts, strict=True)]
    (folder / "book.txt").write_text("\n".join(lines), encoding="utf-8")


def test_a_label_track_cuts_the_recording_into_its_clips(book, prepare):
    folder, spans = book
    narrow = [(start + 0.1, stop - 0.1) for start, stop in spans]
    labelled(folder, narrow)
    dataset = prepare(folder, "--base", "none")
    assert [clip["text"] for clip in rows(dataset, "clips.jsonl")] == list(SAID)
    assert [clip["id"] for clip in rows(dataset, "clips.jsonl")] == ["book-001", "book-002", "book-003"]
    for (start, stop), clip in zip(spans, rows(dataset, "clips.jsonl"), strict=True):
        assert clip["seconds"] == pytest.approx(stop - start + 0.1, abs=0.1)  # what was cut off is there, and a margin
    assert "book.txt" in {row["made"][0]["record"]["text_from"] for row in rows(dataset, "recordings.jsonl")}
    assert "3 texts in the form audacity" in prepare.err
    assert prepare(folder, "--base", "none").ref == dataset.ref
    labelled(folder, spans)
    assert prepare(folder, "--base", "none").ref != dataset.ref


def test_speakers_of_tiers_and_times_past_the_end(book, prepare):
    folder, spans = book
    seconds = soundfile.info(folder / "book.wav").duration
    lines = [
        *(f"u{n} book {a} {b}" for n, (a, b) in enumerate(spans)),
        f"u3 book {seconds - 0.2} {seconds + 0.3}",
        f"u4 book {seconds + 2} {seconds + 3}",
    ]
    (folder / "segments").write_text("\n".join(lines), encoding="utf-8")
    (folder / "wav.scp").write_text("book book.wav\n", encoding="utf-8")
    texts = [f"u{number} {text}" for number, text in enumerate([*SAID, "Silence.", "Nothing."])]
    (folder / "text").write_text("\n".join(texts), encoding="utf-8")
    (folder / "utt2spk").write_text("u0 ann\nu1 bob\nu2 ann\n", encoding="utf-8")
    dataset = prepare(folder, "--base", "none", "--speaker", "carl")
    assert dataset.manifest.metrics["speakers"] == {"ann": 2, "bob": 1}
    left_out = {row["id"]: row["reason"] for row in rows(dataset, "rejected.jsonl")}
    assert set(left_out) == {"book-004", "book-005"}
    assert f"text:5 ends at {seconds + 3:.2f} s, and the recording at {seconds:.2f} s" in left_out["book-005"]
    assert "almost silent" in left_out["book-004"]


@pytest.mark.parametrize(
    ("span", "silences", "around", "expected"),
    [
        ((1.0, 2.0), [(0.0, 0.9), (2.1, 4.0)], (0.0, 4.0), (0.7, 2.3)),
        ((1.0, 2.0), [(0.8, 0.9), (2.1, 2.2)], (0.0, 4.0), (0.8, 2.2)),
        ((1.0, 2.0), [(0.0, 1.2), (1.9, 4.0)], (0.9, 2.1), (0.9, 2.1)),
        ((1.0, 2.0), [(0.0, 0.5), (2.5, 4.0)], (0.0, 4.0), (1.0, 2.0)),
        ((1.0, 2.0), [], (1.0, 2.0), (1.0, 2.0)),
    ],
)
def test_a_span_is_widened_into_silence_only(span, silences, around, expected):
    assert into_silence(span, silences, around) == expected


def test_the_same_audio_under_two_names_is_told(folder, prepare):
    shutil.copy(folder / "a.wav", folder / "copy.wav")
    sound, rate = soundfile.read(folder / "b.wav", dtype="int16")
    soundfile.write(folder / "other.flac", sound, rate)
    texts = {"a": SAID[0], "copy": SAID[0], "b": SAID[1], "other": "Rain fell."}
    write_list(folder, texts)
    dataset = prepare(folder, "--base", "none")
    verdicts = {row["id"]: row for row in rows(dataset, "verdicts.jsonl")}
    assert verdicts["a"]["word"] == verdicts["b"]["word"] == "kept"
    assert verdicts["copy"]["reasons"] == ["it has the same audio as a"]
    assert verdicts["other"]["reasons"] == ["it has the same audio as b, but another text"]
    assert "same audio as another clip: 2 clips, such as a and copy" in prepare.err
    assert "1 recordings of the folder are not in metadata.csv" in prepare.err
    assert '<table id="duplicates">' in dataset.path("report.html").read_text(encoding="utf-8")


def test_one_text_of_clips_of_too_different_length_is_told(folder, prepare, record):
    record(folder, {"long": "The sun is warm, and rain fell all day and all night."})
    write_list(folder, {"a": SAID[0], "long": SAID[0], "b": SAID[1]})
    dataset = prepare(folder, "--base", "none")
    verdicts = {row["id"]: " ".join(row["reasons"]) for row in rows(dataset, "verdicts.jsonl")}
    assert "the 2 clips with its text" in verdicts["a"]
    assert "one of them says another" in verdicts["long"]
    assert verdicts["b"] == ""
    assert "same text for clips of very different length: 1 text, such as that of a and long" in prepare.err
