"""Texts in and sound out, every way: arguments, standard input, files, folders, lists, streams."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxgrad.cli.terminal import Renderer
from voxgrad.events import Advanced, Event

ROOT = Path(__file__).parents[2]
FAST = ("--voice", "robot", "--vocoder", "quick", "--steps", "1", "--precision", "float32")
BOOK = "The sun is warm. Rain fell all day.\n\nTwo dogs ran home. She reads a book.\n"


@pytest.fixture
def typed(monkeypatch):
    """Puts lines into standard input."""

    def typed(text: str | bytes) -> None:
        content = text if isinstance(text, bytes) else text.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))

    return typed


@pytest.fixture
def streamed(furnished, command, monkeypatch):
    """Says something into a stream, and gives the bytes."""

    def streamed(*arguments: object) -> bytes:
        with monkeypatch.context() as patch:
            stream = io.TextIOWrapper(io.BytesIO())
            patch.setattr(sys, "stdout", stream)
            outcome = command("say", *arguments, *FAST)
            assert outcome.code == 0, outcome.err
            return stream.buffer.getvalue()

    return streamed


@pytest.fixture
def interrupted(monkeypatch):
    """Presses Ctrl-C once so much is done."""

    @contextmanager
    def interrupted(done: int) -> Iterator[None]:
        def emit(renderer: Renderer, event: Event) -> None:
            if isinstance(event, Advanced) and event.done == done:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Renderer, "emit", emit)
            yield

    return interrupted


def samples(path: str | Path) -> np.ndarray:
    return soundfile.read(path, dtype="int16")[0]


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir() if path.name != "home")


def test_lines_of_standard_input_become_a_file_each(furnished, command, typed):
    typed("Rain fell all day.\n\n  \nTwo dogs ran home.\n")
    outcome = command("say", *FAST)
    assert outcome.code == 0, outcome.err
    assert names() == ["robot-0001.wav", "robot-0002.wav"]
    assert [line.split(":")[0] for line in outcome.out.splitlines()] == names()
    typed("She reads a book.\n")
    assert command("say", *FAST).code == 0
    assert names()[-1] == "robot-0003.wav"


def test_a_line_of_a_list_sounds_as_it_does_alone(furnished, command, typed):
    typed("Rain fell all day.\nTwo dogs ran home.\n")
    assert command("say", *FAST, "-d", "out", "--seed", "5").code == 0
    assert command("say", "Two dogs ran home.", *FAST, "--seed", "5", "-o", "alone.wav").code == 0
    assert np.array_equal(samples("out/0002.wav"), samples("alone.wav"))


def test_a_stream_has_the_samples_of_the_file(furnished, command, streamed, typed):
    assert command("say", BOOK, *FAST, "-o", "a.wav").code == 0
    Path("b.wav").write_bytes(streamed(BOOK, "-o", "-"))
    assert np.array_equal(samples("b.wav"), samples("a.wav"))
    raw = np.frombuffer(streamed(BOOK, "--raw"), "<i2")
    assert np.array_equal(raw, samples("a.wav"))
    typed(BOOK)
    assert np.array_equal(np.frombuffer(streamed("--raw", "-f", "-"), "<i2"), raw)


def test_a_file_is_one_text_unless_a_folder_is_given(furnished, command):
    Path("book.txt").write_text(f"\ufeff{BOOK}", encoding="utf-8")
    assert command("say", "-f", "book.txt", *FAST, "-o", "book.flac", "--timings", "vtt").code == 0
    assert command("say", "-f", "book.txt", *FAST, "-d", "lines", "--format", "ogg").code == 0
    assert sorted(path.name for path in Path("lines").iterdir()) == ["0001.ogg", "0002.ogg"]
    assert Path("book.vtt").read_text(encoding="utf-8").startswith("WEBVTT")
    assert soundfile.info("book.flac").duration > soundfile.info("lines/0001.ogg").duration


def test_json_lines_have_settings_of_their_own(furnished, command):
    lines = [
        {"text": "Rain fell all day.", "out": "a.flac", "seed": 7},
        {"text": "Rain fell all day.", "out": "b.mp3", "speed": 2},
        {"text": "Rain fell all day.", "voice": "robots"},
    ]
    Path("list.jsonl").write_text("\n\n".join(map(json.dumps, lines)), encoding="utf-8")
    outcome = command("say", "-f", "list.jsonl", *FAST, "-d", "out", "--json", "--timings", "srt")
    assert outcome.code == 0, outcome.err
    answers = [json.loads(line) for line in outcome.out.splitlines()]
    assert [answer["file"] for answer in answers] == ["out/a.flac", "out/b.mp3", "out/0003.wav"]
    assert [answer["seed"] for answer in answers] == [7, 0, 0]
    assert [answer["parents"]["voice"] for answer in answers] == ["robot@v1", "robot@v1", "robots@v1"]
    assert answers[1]["seconds"] < answers[0]["seconds"]
    assert Path("out/a.srt").is_file()


def test_a_list_goes_on_where_it_was_interrupted(furnished, command, typed, interrupted):
    lines = "The sun is warm.\nRain fell all day.\nTwo dogs ran home.\n"
    typed(lines)
    with interrupted(2):
        assert command("say", *FAST, "-d", "out").code == 130
    assert sorted(path.name for path in Path("out").iterdir()) == ["0001.wav", "0002.wav"]
    typed(lines)
    outcome = command("say", *FAST, "-d", "out")
    assert outcome.code == 0
    assert outcome.out.count("there already") == 2
    assert sorted(path.name for path in Path("out").iterdir()) == ["0001.wav", "0002.wav", "0003.wav"]
    typed(lines.replace("day", "night"))
    assert command("say", *FAST, "-d", "out").out.count("there already") == 2


def test_what_is_finished_of_a_book_stays(furnished, command, interrupted):
    before = len(furnished.list("speech"))
    with interrupted(3):
        outcome = command("say", BOOK, *FAST, "-o", "book.flac")
    assert outcome.code == 130
    assert names() == ["book.part.flac"]
    assert soundfile.info("book.part.flac").duration > 0.2
    assert len(furnished.list("speech")) == before
    assert list((furnished.home / "tmp").iterdir()) == []


def test_a_line_that_says_nothing_is_named_and_left_out_or_strictly_refused(furnished, command, typed):
    lines = "The sun is warm.\nПривет.\nRain fell 你好 all day.\n"
    typed(lines)
    outcome = command("say", *FAST, "-d", "out", "-q")
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "warning: utterance 2: not read: Привет (Cyrillic)",
        "warning: utterance 2 is left out: the text has no words to speak, only Cyrillic letters",
        "warning: utterance 3: not read: 你好 (Chinese)",
    ]
    assert sorted(path.name for path in Path("out").iterdir()) == ["0001.wav", "0003.wav"]
    typed(lines)
    outcome = command("say", *FAST, "-d", "strict", "-q", "--strict")
    assert outcome.code == 2
    assert "utterance 2: not read: Привет (Cyrillic)" in outcome.err
    assert [path.name for path in Path("strict").iterdir()] == ["0001.wav"]


@pytest.mark.parametrize("way", [("-o", "a.wav"), ("--raw",), ("-f", "-", "-o", "a.wav"), ("-f", "a.jsonl")])
def test_what_is_left_out_is_told_with_its_line(way, furnished, command, typed, monkeypatch):
    text = "The sun.\nSo {name} 你好.\n😀 \\frac{1}{2} it.\n"
    Path("a.jsonl").write_text('{"text": "So \\ud83d it is."}\n' + json.dumps({"text": text}), encoding="utf-8")
    typed(text)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    outcome = command("say", *FAST, *way, "-q")
    assert outcome.code == 0, outcome.err
    told = ", ".join(line.rpartition("not read: ")[2] for line in outcome.err.splitlines() if "not read" in line)
    assert told.removeprefix("\ufffd, ") == "你好 (Chinese, line 2), 😀 (line 3)"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"text": "a"}\n{"text": 5}', "list.jsonl:2, text"),
        ('{"text": "a"}\n{"text": ""}', "list.jsonl:2, text"),
        ('{"text": "a"}\n{"text": "b", "sped": 2}', "Did you mean speed?"),
        ('{"text": "a"}\nhello', "list.jsonl:2 is not JSON"),
        ('{"text": "a"}\n[1]', "list.jsonl:2 is not a JSON object"),
        ('{"text": "a", "speed": 99}', "list.jsonl:1, speed"),
        ('{"text": "a", "seed": -1}', "list.jsonl:1, seed"),
        ('{"text": "a"}\n{"text": "b", "voice": "robt"}', "Did you mean robot?"),
        ('{"text": "a", "out": "a.wav"}\n{"text": "b", "out": "a.wav"}', "two utterances would be written to a.wav"),
        ('{"text": "a", "out": "a.mid"}', "does not have a supported audio ending"),
        ('{"text": "a", "out": "nowhere/a.wav"}', "does not exist"),
    ],
)
def test_a_list_that_cannot_be_said_is_refused(content, complaint, furnished, refused):
    Path("list.jsonl").write_text(content, encoding="utf-8")
    assert complaint in refused("say", "-f", "list.jsonl", *FAST)
    assert names() == ["list.jsonl"]


@pytest.mark.parametrize("text", [b"", b" \n\n", b"\xff\xfe"])
@pytest.mark.parametrize("way", [(), ("-o", "a.wav"), ("--raw",), ("-f", "-", "-o", "a.wav")])
def test_input_that_says_nothing_is_refused(text, way, furnished, typed, refused):
    typed(text)
    refused("say", *FAST, *way)
    assert names() == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("Hello.", "-o", "a.wav", "-d", "out"), "-o and -d cannot be used together"),
        (("Hello.", "-f", "book.txt"), "a text and a file cannot be combined"),
        (("Hello.", "--raw", "-o", "a.wav"), "--raw streams"),
        (("Hello.", "-o", "-", "--timings", "srt"), "no file for the timings to go beside"),
        (("Hello.", "-o", "a.wav", "--timings", "a.doc"), "does not have an ending for timings"),
        (("Hello.", "-d", "out", "--timings", "a.srt"), "timings of more than one audio file"),
        (("-f", "nowhere.txt"), "cannot be read"),
        (("-f", "home"), "cannot be read"),
        (("Hello.", "--pitch", "40"), "pitch"),
        (("Hello.", "--sentence-silence", "-1"), "sentence-silence"),
        (("Hello.", "--format", "mid"), "format"),
    ],
)
def test_misuse_is_refused(arguments, complaint, furnished, refused):
    assert complaint in refused("say", *arguments, *FAST)
    assert names() == []


@pytest.mark.parametrize("way", [(), ("-o", "a.wav"), ("--raw",)])
@pytest.mark.parametrize(
    ("text", "warnings"),
    [("😀 😀\n", ["not read: 😀 (2 times)"]), ("Привет.\n", ["not read: Привет (Cyrillic)"]), ("...\n", [])],
)
def test_what_cannot_be_read_says_nothing_alone(text, warnings, way, furnished, command, typed):
    typed(text)
    outcome = command("say", *FAST, *way, "-q")
    assert outcome.code == 2
    assert outcome.out == ""
    *told, error = outcome.err.splitlines()
    assert [warning.rpartition("warning: ")[2] for warning in told if "not read" in warning] == (
        warnings if way else [f"utterance 1: {one}" for one in warnings]
    )
    assert error.startswith("error: the text has no words to speak")
    assert names() == []


def test_an_answer_and_a_stream_cannot_both_go_to_standard_output(furnished, command):
    assert command("say", "Hello.", "-o", "-", "--json", *FAST).code == 2


def test_strict_refuses_in_streams_and_lists_too(furnished, command, typed, refused):
    for way in (("--raw",), ("-d", "out"), ("-o", "a.wav")):
        typed("Zzyzxq it is.\n")
        assert "zzyzxq" in refused("say", "--strict", *FAST, *way)
    assert names() in ([], ["out"])


def test_what_was_said_is_converted_without_metadata(furnished, command):
    said = ("say", "Hello there.", *FAST)
    assert command(*said, "-o", "whole.wav").code == 0
    assert command(*said, "--no-metadata", "-o", "plain.wav").code == 0
    assert np.array_equal(samples("plain.wav"), samples("whole.wav"))
    outcome = command("info", "plain.wav", "--json")
    assert json.loads(outcome.out)["recipe"] == {}
    assert b"Hello" not in Path("plain.wav").read_bytes()
    assert b"synthetic speech" in Path("plain.wav").read_bytes()


def test_a_terminal_gets_no_sound(furnished, refused, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert "is a terminal" in refused("say", "Hello.", "-o", "-", *FAST)


@pytest.mark.skipif(os.name == "nt", reason="folders have no modes")
@pytest.mark.parametrize("way", [("-o", "closed/a.wav"), ("-d", "closed")])
def test_a_folder_that_may_not_be_written_is_exit_4(way, furnished, command, monkeypatch):
    Path("closed").mkdir()
    Path("closed").chmod(stat.S_IRUSR | stat.S_IXUSR)
    touch = Path.touch

    def guarded(path: Path, *arguments: object, **options: object) -> None:
        if path.parent.name == "closed":  # root may write anywhere
            raise PermissionError(13, "Permission denied")
        touch(path)

    monkeypatch.setattr(Path, "touch", guarded)
    outcome = command("say", "Hello.", *FAST, *way, "-q")
    assert outcome.code == 4
    assert "Permission denied" in outcome.err
    assert not list(Path("closed").iterdir())


def test_a_long_text_is_streamed_until_its_reader_leaves(robots, tmp_path):
    (tmp_path / "book.txt").write_text("The sun is warm. " * 1_000, encoding="utf-8")
    command = [sys.executable, "-c", "from voxgrad.cli.main import run; run()", "say", "-f", tmp_path / "book.txt"]
    command += [*FAST, "--raw", "-q", "--home", robots]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert len(process.stdout.read(100)) == 100
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_home_that_may_not_be_written_can_still_stream(robots, streamed, monkeypatch, tmp_path):
    shutil.rmtree(tmp_path / "home")
    monkeypatch.setenv("VOXGRAD_HOME", str(robots))
    before = sorted(robots.rglob("*"))
    assert len(streamed("Hello.", "-o", "-")) > 1000
    assert sorted(robots.rglob("*")) == before
