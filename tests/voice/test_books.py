"""Books into audiobooks: chapters, tags and cover read back; stopped anywhere, they end the same to the sample."""

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from voxgrad.audio.codecs import readable_cover
from voxgrad.audio.writers import read_comment
from voxgrad.cli.terminal import Renderer
from voxgrad.events import Advanced
from voxgrad.voice.metadata import MARK

sys.path.insert(0, str(Path(__file__).parents[1] / "documents"))
from books import write_epub

ROOT = Path(__file__).parents[2]
av = pytest.importorskip("av", reason="needs the extra books")
TEXTS = ROOT.parent / "shared" / "data" / "texts" / "ljspeech.txt"
FAST = ("--voice", "robot", "--vocoder", "quick", "--steps", "1", "--speed", "3", "--precision", "float32")
PAGES = {
    "a.xhtml": "<h1>One</h1><p>The sun is warm. Rain fell all day.</p>",
    "b.xhtml": "<h1>Two</h1><p>Two dogs ran home.</p><p>She reads a book. Snow fell.</p>",
    "c.xhtml": "<h1>Three</h1><p>He closed the door.</p>",
}
TITLES = [("a.xhtml", "Chapter One"), ("b.xhtml", "Two & half"), ("c.xhtml", "Three")]


@pytest.fixture
def book(furnished) -> Path:
    titles = [(target, title.replace("&", "&amp;")) for target, title in TITLES]
    return write_epub(Path("b.epub"), PAGES, titles)


def _milliseconds(count: int, unit: Fraction) -> int:
    return round(1000 * count * unit.numerator / unit.denominator)


def described(path: str) -> tuple[dict[str, str], list[tuple[str, int, int]], float, list[str]]:
    """Tags, chapters in milliseconds, seconds, and kinds of streams."""
    with av.open(path) as container:
        tags = {**container.metadata, **container.streams.audio[0].metadata}
        # FFmpeg counts in thousandths of a second, newer versions in samples.
        chapters = [
            (one["metadata"]["title"], *(_milliseconds(one[edge], one["time_base"]) for edge in ("start", "end")))
            for one in container.chapters()
        ]
        return tags, chapters, container.duration / av.time_base, [one.type for one in container.streams]


def decoded(path: str | Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_what_a_book_has_in_another_script_is_left_out_and_told_with_chapter_and_sentence(furnished, command, refused):
    pages = {"a.xhtml": "<p>The sun is warm.</p>", "b.xhtml": "<p>So be it. The wo&#173;rd (<i>λόγος</i>) is.</p>"}
    book = write_epub(Path("b.epub"), pages, [("a.xhtml", "One"), ("b.xhtml", "Tw\u00ado")])
    outcome = command("say", book, "-o", "b.wav", *FAST, "-q", "--timings", "json")
    assert outcome.code == 0
    assert outcome.err == "warning: not read: λόγος (Greek, chapter “Two”: “The word (λόγος) is.”)\n"
    words = [word["word"] for one in json.loads(Path("b.json").read_text("utf-8")) for word in one["words"]]
    assert words == ["the", "sun", "is", "warm", "so", "be", "it", "the", "word", "is"]
    assert "chapter “Two”: “The word (λόγος) is.”" in refused("say", book, "-o", "c.wav", *FAST, "--strict")


@pytest.mark.parametrize("name", ["b.m4b", "b.mp3", "b.opus"])
def test_an_audiobook_has_chapters_tags_and_cover(name, book, command):
    outcome = command("say", book, "-o", name, *FAST, "--timings", "srt", "--json")
    assert outcome.code == 0, outcome.err
    answer = json.loads(outcome.out)
    tags, chapters, seconds, kinds = described(name)
    assert (tags["title"], tags["artist"], tags["genre"]) == ("A Book & More", "Ann Author", "Audiobook")
    assert [title for title, _, _ in chapters] == [title for _, title in TITLES] == answer["chapters"]
    assert chapters[0][1] == 0
    assert all(stop == start for (_, _, stop), (_, start, _) in pairwise(chapters))
    assert seconds == pytest.approx(answer["seconds"], abs=0.06)
    assert chapters[-1][2] == pytest.approx(1000 * answer["seconds"], abs=60)
    assert "video" in kinds  # the cover
    assert tags["comment"].startswith(MARK)
    assert not Path(f"{name}.part").exists()
    assert Path(name).with_suffix(".srt").read_text(encoding="utf-8").count("-->") == 9
    assert read_comment(Path(name)) == tags["comment"]


def test_a_chapter_of_an_audiobook_is_replayed(book, command):
    spoken = command("say", book, "-o", "b.m4b", "--chapters", "3", *FAST, "--json")
    again = command("replay", "b.m4b", "-o", "again.wav", "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["seconds"] == json.loads(spoken.out)["seconds"]


def test_a_chapter_begins_where_its_words_do(book, command):
    assert command("say", book, "-o", "b.m4b", *FAST, "--timings", "json").code == 0
    timings = {one["written"]: one for one in json.loads(Path("b.json").read_text(encoding="utf-8"))}
    _, chapters, _, _ = described("b.m4b")
    for (_, start, _), heading in zip(chapters[1:], ("Two", "Three"), strict=True):
        assert start / 1000 <= timings[heading]["start"] + 0.001
    assert chapters[1][1] / 1000 > timings["Rain fell all day."]["stop"]


def test_chapters_are_listed_and_chosen(book, command, refused):
    listed = json.loads(command("say", book, "--list-chapters", "--json").out)
    assert [(one["number"], one["title"]) for one in listed["chapters"]] == [
        (number, title) for number, (_, title) in enumerate(TITLES, 1)
    ]
    assert "Chapter One" in command("say", "-f", book, "--list-chapters").out
    assert command("say", book, "-o", "part.m4b", "--chapters", "2-", *FAST).code == 0
    assert [title for title, _, _ in described("part.m4b")[1]] == ["Two & half", "Three"]
    for wrong in ("0", "4", "3-2", "x", "1-9", ""):
        assert "--chapters contains" in refused("say", book, "-o", "x.m4b", "--chapters", wrong, *FAST)
    assert "does not have a supported audio ending" in refused("say", book, "-o", "x.pdf", *FAST)
    assert "cannot be streamed" in refused("say", book, "-o", "-", *FAST)
    assert "cannot be read" in refused("say", "nowhere.epub", *FAST)
    Path("broken.epub").write_bytes(book.read_bytes()[:900])
    assert "is damaged or not an EPUB" in refused("say", "broken.epub", *FAST)


def test_a_folder_has_a_file_for_each_chapter_and_goes_on_there(book, command):
    arguments = ("say", book, "-d", "out", "--format", "opus", *FAST)
    assert command(*arguments).code == 0
    names = ["001 Chapter One.opus", "002 Two half.opus", "003 Three.opus"]
    assert sorted(path.name for path in Path("out").iterdir()) == names
    Path("out", names[1]).unlink()
    outcome = command(*arguments)
    assert outcome.out.count("already spoken") == 2
    assert described(f"out/{names[1]}")[0]["title"] == "A Book & More: Two & half"


@pytest.mark.parametrize("places", [("-o", "b.wav"), ("-d", "out", "--format", "wav")])
def test_a_chapter_that_cannot_be_read_is_left_out(places, furnished, command, monkeypatch):
    monkeypatch.setattr("voxgrad.text.tokens.MOST_GUESSES", 3)
    pages = {**PAGES, "d.xhtml": "<p>Blorf snarpid glimo prendit vorlo.</p>", "e.xhtml": "<p>* * *</p>"}
    titles = [*TITLES, ("d.xhtml", "Noise"), ("e.xhtml", "Stars")]
    book = write_epub(Path("b.epub"), pages, [(target, title.replace("&", "&amp;")) for target, title in titles])
    book.write_bytes(book.read_bytes().replace(b"OPS/b.xhtml", b"OPS/z.xhtml"))
    outcome = command("say", book, *places, *FAST, "--json")
    assert outcome.code == 0, outcome.err
    assert "chapter 'Two & half' cannot be read (the book lacks 'OPS/b.xhtml'): it is left out" in outcome.err
    assert "chapter 'Noise' cannot be read (more than 3 different words" in outcome.err
    answers = [json.loads(line) for line in outcome.out.splitlines()]
    assert [title for answer in answers for title in answer["chapters"]][:2] == ["Chapter One", "Three"]
    refused = command("say", book, *places, *FAST, "--strict")
    assert refused.code == 2
    assert "chapter 'Two & half' cannot be read" in refused.err
    assert "chapter 'Two & half' cannot be read" in command("say", book, "--list-chapters").err


def test_a_book_without_a_readable_chapter_is_refused(furnished, command):
    book = write_epub(Path("b.epub"), {"a.xhtml": "<p>* * *</p>", "b.xhtml": "<p>?</p>"})
    for places in (("-o", "b.wav"), ("-d", "out", "--format", "wav")):
        outcome = command("say", book, *places, *FAST)
        assert (outcome.code, "has no words to speak" in outcome.err) == (2, True)
    assert not Path("b.wav.part").exists()


def test_without_metadata_there_is_only_the_mark(book, command):
    assert command("say", book, "-o", "b.m4b", "--no-metadata", "--chapters", "3", *FAST).code == 0
    assert read_comment(Path("b.m4b")) == MARK


def stopped(monkeypatch, after: int) -> None:
    def emit(renderer, event):
        if isinstance(event, Advanced) and event.done == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(Renderer, "emit", emit)


@pytest.mark.parametrize("after", [4, pytest.param(1, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow)])
def test_a_book_that_was_stopped_ends_the_same(after, book, command, monkeypatch):
    assert command("say", book, "-o", "whole.m4b", *FAST).code == 0
    with monkeypatch.context() as patch:
        stopped(patch, after)
        assert command("say", book, "-o", "b.m4b", *FAST).code == 130
    assert not Path("b.m4b").exists()
    part = Path("b.m4b.part")
    # A kill may leave half of a passage.
    with (part / "audio.pcm").open("ab") as audio:
        audio.write(b"\x01\x02\x03")
    with (part / "passages.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('{"samples": 100, "tail')
    outcome = command("say", book, "-o", "b.m4b", *FAST)
    assert outcome.code == 0
    assert f"continuing after {after} of 9 passages" in outcome.err
    assert np.array_equal(decoded("b.m4b"), decoded("whole.m4b"))
    assert described("b.m4b")[1] == described("whole.m4b")[1]
    assert not part.exists()


def test_other_work_in_the_folder_is_not_taken_for_this(book, command, monkeypatch):
    with monkeypatch.context() as patch:
        stopped(patch, 4)
        assert command("say", book, "-o", "b.wav", *FAST).code == 130
    assert command("say", book, "-o", "b.wav", *FAST, "--seed", "5").code == 0
    assert command("say", book, "-o", "c.wav", *FAST, "--seed", "5").code == 0
    assert Path("b.wav").read_bytes() == Path("c.wav").read_bytes()


def test_a_missing_package_is_named(book, refused, monkeypatch, command):
    monkeypatch.setitem(sys.modules, "av", None)
    outcome = command("say", book, "-o", "b.m4b", *FAST)
    assert outcome.code == 4
    assert "pip install 'voxgrad[books]'" in outcome.err
    assert command("say", book, "-o", "b.wav", *FAST).code == 0


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_cover_that_is_no_picture_is_left_out(content):
    assert readable_cover(content) is None


def _long_book(path: Path) -> Path:
    """30,000 characters of a public-domain text in five chapters."""
    lines = TEXTS.read_text(encoding="utf-8").splitlines()
    text, pages, at = 0, {}, 0
    while text < 30_000:
        part = lines[at : at + 45]
        at += 45
        text += sum(map(len, part))
        pages[f"c{at}.xhtml"] = f"<h1>Part {len(pages) + 1}</h1>" + "".join(
            f"<p>{line.replace('&', '&amp;').replace('<', '&lt;')}</p>" for line in part
        )
    return write_epub(path, pages, [(name, f"Part {number}") for number, name in enumerate(pages, 1)])


@pytest.mark.slow
@pytest.mark.skipif(not TEXTS.is_file(), reason="the shared texts are not here")
def test_a_book_of_thirty_thousand_characters_that_was_killed_ends_the_same(tmp_path):
    book = _long_book(tmp_path / "long.epub")
    program = [sys.executable, "-c", "from voxgrad.cli.main import run; run()", "say", str(book)]
    how = ("--voice", "english", "--vocoder", "kathleen", "--steps", "1", "--speed", "5")
    program += [*how, "--home", str(tmp_path / "home")]
    subprocess.run([*program, "-o", str(tmp_path / "whole.m4b")], cwd=ROOT, check=True, capture_output=True)
    killed = subprocess.Popen([*program, "-o", str(tmp_path / "b.m4b")], cwd=ROOT, stderr=subprocess.DEVNULL)
    pieces = tmp_path / "b.m4b.part" / "passages.jsonl"
    while not (pieces.is_file() and pieces.read_text(encoding="utf-8").count("\n") > 100):
        assert killed.poll() is None
        time.sleep(0.1)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = subprocess.run(
        [*program, "-o", str(tmp_path / "b.m4b")], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "continuing after" in done.stderr
    assert np.array_equal(decoded(tmp_path / "b.m4b"), decoded(tmp_path / "whole.m4b"))
    _, chapters, seconds, _ = described(str(tmp_path / "b.m4b"))
    assert [title for title, _, _ in chapters] == [f"Part {number}" for number in range(1, len(chapters) + 1)]
    assert len(chapters) >= 5
    assert chapters[-1][2] / 1000 == pytest.approx(seconds, abs=0.1)
