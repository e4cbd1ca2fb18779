"""What becomes of a recording: more than forty kinds of damaged and odd input, and those that are cut by times."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from formant_synthesis import speak_phones

from tests.preparation.conftest import TEXTS, rows
from voxgrad.audio.clean import into_silence, part, speech_span
from voxgrad.audio.io import Waveform, resample
from voxgrad.settings import AudioSpec, TextSpec
from voxgrad.text.tokens import encode

RATE = 22050
TEXT = "The sun is warm, and rain fell all day."
LONG = "A text that is much too long for so short a sound. " * 4


@cache
def speech(text: str = TEXT) -> np.ndarray:
    return speak_phones(encode(text, TextSpec(add_blank=False)).phones, 3).samples


def at(rate: int) -> np.ndarray:
    return resample(Waveform(speech(), RATE), rate).samples


def noise(level: float, count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, level, count)


def written(samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16", kind: str = "WAV"):
    return lambda path: soundfile.write(path, samples, rate, subtype, format=kind)


def content(value: bytes):
    return lambda path: path.write_bytes(value)


def encoded(kind: str, copies: int = 1) -> bytes:
    import io

    file = io.BytesIO()
    soundfile.write(file, np.tile(speech(), copies), RATE, format=kind)
    return file.getvalue()


def truncated(kind: str):
    return lambda path: path.write_bytes(encoded(kind, 2)[: len(encoded(kind, 2)) // 2])


def sparse_hours(path: Path) -> None:
    """Two hours of which the disk holds next to nothing."""
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_U8") as file:
        file.write(np.zeros(8000, np.float32))
    header = bytearray(path.read_bytes()[:44])
    size = 2 * 3600 * 8000
    header[4:8], header[40:44] = (size + 36).to_bytes(4, "little"), size.to_bytes(4, "little")
    with path.open("wb") as raw:
        raw.write(header)
        raw.truncate(size + 44)


def linked(path: Path) -> None:
    target = path.parents[2] / "elsewhere.blob"
    written(speech())(target)
    path.symlink_to(target)


def out_of_phase(path: Path) -> None:
    soundfile.write(path, np.stack([speech(), -0.8 * speech()], 1), RATE)


@dataclass(frozen=True)
class Kind:
    """A recording and its text; ``verdict`` is kept, warning or rejected, and ``reason`` a part of why."""

    name: str
    make: Callable[[Path], object]
    verdict: str
    reason: str = ""
    text: str = TEXT
    ending: str = "wav"


KINDS = (
    Kind("zero bytes", content(b""), "rejected", "is empty (0 bytes)"),
    Kind("header only", content(encoded("WAV")[:44]), "rejected", "truncated"),
    Kind("header without samples", written(np.zeros(0)), "rejected", "no samples"),
    Kind("truncated wav", truncated("WAV"), "rejected", "truncated"),
    Kind("truncated aiff", truncated("AIFF"), "rejected", "truncated", ending="aiff"),
    Kind("truncated flac", truncated("FLAC"), "rejected", "is damaged", ending="flac"),
    Kind("truncated mp3", truncated("MP3"), "kept", ending="mp3"),
    Kind("truncated ogg", truncated("OGG"), "kept", ending="ogg"),
    Kind("text file", content(b"this is no sound at all"), "rejected", "not an audio file"),
    Kind("web page", content(b"<!DOCTYPE html><html></html>"), "rejected", "is a web page"),
    Kind("random bytes", content(bytes(range(256)) * 40), "rejected", "not an audio file"),
    Kind("not a number", written(np.full(RATE, np.nan), subtype="FLOAT"), "rejected", "not finite"),
    Kind("infinite", written(np.full(RATE, np.inf), subtype="FLOAT"), "rejected", "not finite"),
    Kind("digital silence", written(np.zeros(RATE)), "rejected", "silent throughout"),
    Kind("faint hiss", written(noise(1e-5, RATE), subtype="FLOAT"), "rejected", "almost silent"),
    Kind("noise alone", written(noise(0.1, 4 * RATE)), "rejected", "hardly louder than the background"),
    Kind("0.05 seconds", written(speech()[:1100]), "rejected", "a clip needs 0.3 s"),
    Kind("one sample", written(speech()[5000:5001]), "rejected", "silent throughout"),
    Kind("two hours", sparse_hours, "rejected", "lasts 120 minutes"),
    Kind("a link out of the folder", linked, "kept"),
    Kind("eight bits", written(speech(), subtype="PCM_U8"), "kept"),
    Kind("24 bits", written(speech(), subtype="PCM_24"), "kept"),
    Kind("32 bits", written(speech(), subtype="PCM_32"), "kept"),
    Kind("float", written(speech(), subtype="FLOAT"), "kept"),
    Kind("double", written(speech(), subtype="DOUBLE"), "kept"),
    Kind("mu-law", written(at(8000), 8000, "ULAW"), "warning", "muffled"),
    Kind("8 kHz", written(at(8000), 8000), "warning", "muffled: nothing above 38"),
    Kind("44.1 kHz", written(at(44100), 44100), "kept"),
    Kind("96 kHz", written(at(96000), 96000), "kept"),
    Kind("192 kHz", written(at(192000), 192000), "kept"),
    Kind("a prime rate", written(at(22051), 22051), "kept"),
    Kind("5.1 channels", written(np.stack([speech()] * 6, 1)), "kept"),
    Kind("out of phase", out_of_phase, "warning", "out of phase"),
    Kind("hard clipping", written(np.clip(30 * speech(), -1, 1)), "rejected", "samples are clipped"),
    Kind("some clipping", written(np.clip(1.35 * speech(), -0.5, 0.5)), "warning", "samples are clipped"),
    Kind("offset", written(0.5 * speech() + 0.3), "warning", "offset of 0.30"),
    Kind("faint", written(0.005 * speech(), subtype="FLOAT"), "warning", "amplified by"),
    Kind("beyond full scale", written(4 * (speech() - speech().mean()), subtype="FLOAT"), "kept"),
    Kind("rumble", written(0.3 * speech() + 0.3 * np.sin(np.arange(len(speech())) / 250)), "kept"),
    Kind("flac called wav", content(encoded("FLAC")), "kept"),
    Kind("mp3 called wav", content(encoded("MP3")), "kept"),
    Kind("wav called mp3", written(speech()), "kept", ending="mp3"),
    Kind("no text", written(speech()), "rejected", "has no text", text=""),
    Kind("text too long", written(speech("The sun.")), "rejected", "too short for its text", text=LONG),
    Kind("text far too short", written(np.tile(speech(), 3)), "rejected", "phones a second", text="Oh."),
    Kind("another script", written(speech()), "rejected", "contains Cyrillic letters", text=f"{TEXT} Солнце."),
    Kind("braces", written(speech()), "rejected", "sun is not a phone", text="The {sun} is warm."),
    Kind("nothing to say", written(speech()), "rejected", "no words to speak", text="?!"),
    Kind("endless word", written(speech()), "rejected", "too short for its text", text="a" * 3000),
    Kind("m4a without ffmpeg", content(b"\0\0\0 ftypM4A "), "rejected", "can only be read with ffmpeg", ending="m4a"),
    Kind("m4a called wav", content(b"\0\0\0 ftypM4A "), "rejected", "can only be read with ffmpeg"),
    Kind("missing", lambda path: None, "rejected", "there is no recording"),
    Kind("folder", lambda path: path.mkdir(), "rejected", "there is no recording"),
)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, tuple[str, str]]:
    """All kinds in one folder, prepared once: what became of each."""
    place = tmp_path_factory.mktemp("kinds")
    folder = place / "odd"
    (folder / "wavs").mkdir(parents=True)
    lines = [f"good|{TEXT}"]
    soundfile.write(folder / "wavs" / "good.wav", speech(), RATE)
    for kind in KINDS:
        kind.make(folder / "wavs" / f"{kind.name}.{kind.ending}")
        lines.append(f"{kind.name}|{kind.text}")
    (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    path, os.environ["PATH"] = os.environ["PATH"], str(place)  # where no ffmpeg is
    try:
        return prepared(folder, place / "home")
    finally:
        os.environ["PATH"] = path


def prepared(folder: Path, home: Path) -> dict[str, tuple[str, str]]:
    from voxgrad.preparation.consent import not_needed
    from voxgrad.settings import PrepareSpec
    from voxgrad.steps.prepare import Options, prepare
    from voxgrad.store import Store

    dataset = prepare(
        Store.open(home),
        folder,
        name="odd",
        preset=PrepareSpec(description="test"),
        text=TextSpec(),
        options=Options(consent=not_needed("synthetic"), form="ljspeech"),
        emit=lambda event: None,
    )
    assert not list((home / "tmp").iterdir())
    assert not (home / "prepared").exists()
    found = {}
    for line in dataset.path("rejected.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[row["id"]] = ("rejected", f"{found.get(row['id'], ('', ''))[1]} {row['reason']}")
    for line in dataset.path("verdicts.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        # Most kinds are the same speech: that is told, too, and is not what is asked here.
        others = [one for one in row["reasons"] if not one.startswith(("it has the same audio as", "it lasts"))]
        word = "kept" if row["word"] == "warning" and not others else row["word"]
        found.setdefault(row["id"], (word, " ".join(others)))
    assert str(folder.parent) not in str(found)
    assert str(folder.parent) not in (dataset.directory / "manifest.json").read_text(encoding="utf-8")
    return found


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_each_kind_has_its_verdict(kind: Kind, verdicts):
    word, why = verdicts[kind.name]
    assert (word, kind.reason in why) == (kind.verdict, True), (word, why)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_m4a_is_read_where_ffmpeg_is_installed(tmp_path):
    import subprocess

    from voxgrad.audio.io import read_audio

    soundfile.write(tmp_path / "a.wav", speech(), RATE)
    subprocess.run([shutil.which("ffmpeg"), "-v", "error", "-i", tmp_path / "a.wav", tmp_path / "a.m4a"], check=True)
    assert read_audio(tmp_path / "a.m4a").seconds == pytest.approx(len(speech()) / RATE, abs=0.1)
    shutil.copy(tmp_path / "a.m4a", tmp_path / "b.wav")
    assert read_audio(tmp_path / "b.wav").seconds == pytest.approx(len(speech()) / RATE, abs=0.1)


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
        speech = part(speech, speech_span(speech, AudioSpec(trim_margin=0.0))).samples
        spans.append((at, at + len(speech) / RATE))
        parts += [speech, gap]
        at = spans[-1][1] + 0.8
    sound = np.concatenate(parts)
    sound += np.random.default_rng(0).normal(0, 1e-4, len(sound))
    soundfile.write(folder / "book.wav", sound, RATE)
    return folder, spans


def labelled(folder: Path, spans: list[tuple[float, float]]) -> None:
    lines = [f"{start:.3f}\t{stop:.3f}\t{text}" for (start, stop), text in zip(spans, SAID, strict=True)]
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
    assert "3 texts in the format audacity" in prepare.err
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
