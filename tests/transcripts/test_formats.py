"""Every usual corpus and label format opens with the right texts and speakers, and broken ones lose nothing else."""

import random
import sys
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest

from tests.tables import rows
from voxgrad.cli.main import main
from voxgrad.errors import BadInputError
from voxgrad.transcripts.find import find_transcripts
from voxgrad.transcripts.registry import FORMATS, Transcripts, of_kind

sys.path.insert(0, str(Path(__file__).parent))
from small_corpora import SAMPLES, grid

Make = Callable[..., Path]
Text = tuple[str, str, str | None]
LABELS, SRT, VTT = (SAMPLES[name].files[SAMPLES[name].main] for name in ("label track", "srt", "vtt"))


def texts(found: Transcripts) -> list[Text]:
    listed: list[Text] = []
    for entry in found.entries:
        parts = [(entry.id, one.text, one.speaker) for one in entry.segments]
        listed += parts or [(entry.id, entry.text, entry.speaker)]
    return listed


def reasons(found: Transcripts) -> str:
    return "\n".join(f"{one.id}: {one.reason}" for one in found.problems)


@pytest.mark.parametrize("name", SAMPLES)
def test_each_format_is_recognised_with_its_texts_and_speakers(name: str, tmp_path: Path):
    sample = SAMPLES[name]
    found = find_transcripts(sample.write(tmp_path))
    assert found.problems == []
    assert found.form == sample.form
    assert sorted(texts(found), key=str) == sorted(sample.texts, key=str)
    assert all(entry.recording.is_file() for entry in found.entries)
    forced = find_transcripts(tmp_path, form=sample.form)
    assert sorted(texts(forced), key=str) == sorted(sample.texts, key=str)


def test_every_form_has_a_sample_and_a_value_of_the_option(capsys):
    assert {sample.form for sample in SAMPLES.values()} == FORMATS.keys()
    assert main(["prepare", "-h"]) == 0
    shown = " ".join(capsys.readouterr().out.split()).replace("- ", "-").partition("One of ")[2].partition(".")[0]
    assert set(shown.split(", ")) == {*FORMATS}


CHANGES: dict[str, Callable[[str], bytes]] = {
    "wrong encoding": lambda text: b"\x81\x8d\x8f" + text.encode("utf-8"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "byte-order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "line ends of Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "empty": lambda text: b"",
    "blank": lambda text: b"\n \n\t\n",
    "truncated": lambda text: text[: len(text) // 2].encode(),
    "a line of garbage": lambda text: (text + "and this is no line\n").encode(),
    "extra columns": lambda text: text.replace("\n", "\tmore|other,other;\n").encode(),
    "twice the same": lambda text: (text + text).encode(),
    "zero bytes": lambda text: text.encode() + bytes(20),
    "a program": lambda text: bytes(range(256)) * 8,
    "unknown tags": lambda text: text.replace("Alpha", "<x-y z=1>Alpha</q>").encode(),
}


TURNS = cycle([*CHANGES, "missing audio"])
BREAKAGES = [(name, next(TURNS)) for name in SAMPLES for _ in range(3)]


@pytest.mark.parametrize(("name", "change"), BREAKAGES)
def test_what_is_broken_is_named_and_nothing_else_is_lost(name: str, change: str, tmp_path: Path):
    sample = SAMPLES[name]
    folder = sample.write(tmp_path)
    if change == "missing audio":
        (folder / sample.sounds[0]).unlink()
    else:
        (folder / sample.main).write_bytes(CHANGES[change](sample.files[sample.main]))
    found = read(folder)
    if found is None:
        return
    lost = set(sample.texts) - set(texts(found))
    if change in {"UTF-16", "byte-order mark", "line ends of Windows"}:
        assert lost == set() or found.problems
    elif change != "truncated":  # which may leave complete lines
        said = [text for _, text, _ in texts(found)]
        assert all(found.problems or any(text[:4] in one for one in said) for _, text, _ in lost), found


def read(folder: Path, form: str | None = None) -> Transcripts | None:
    """What is found; None where it is refused in one line."""
    try:
        return find_transcripts(folder, form=form)
    except BadInputError as error:
        refused = f"{error}"
    assert "\n" not in refused
    return None


@pytest.mark.parametrize(("labels", "reason"), rows("transcripts/lines.tsv", "label"))
def test_a_label_that_cannot_be_is_named_with_its_line(labels: str, reason: str, make: Make):
    found = find_transcripts(make("book.wav", files={"book.txt": labels}))
    assert reason in reasons(found)
    assert texts(found) == [("book", "Gamma.", None)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.srt", SRT.replace("00:00:04,000 -->", "00:00:04 -> "), "a.srt, cue 2 has a time in its text"),
        ("a.srt", SRT.replace("00:00:04,000 --> ", "00:00:9x,000 --> "), "a.srt:10 is not a readable cue"),
        ("a.srt", SRT.replace("00:00:05,500", "00:00:01,000"), "a.srt, cue 3 has impossible times: 4 to 1 s"),
        ("a.srt", SRT.replace("{\\an8}Beta.", "- Beta.\n- Gamma."), "a.srt, cue 3 has two speakers"),
        ("a.srt", SRT.replace("{\\an8}Beta.", "♪ la la ♪"), "a.srt, cue 3 contains a note"),
        ("a.srt", "nothing\nof the kind\n", "a.srt is not SubRip"),
        ("a.vtt", VTT.replace("00:03.000", "00:01.000"), "a.vtt, cue 1 overlaps with another"),
        ("a.vtt", VTT.replace("WEBVTT", "WEB"), "a.vtt is not WebVTT"),
        ("a.vtt", "WEBVTT\n", "a.vtt has no text with times"),
        ("a.TextGrid", "File type", "a.TextGrid cannot be read as a TextGrid"),
        ("a.TextGrid", grid({"phones": [(0, 9, "AH")]}), "a.TextGrid has no tier of utterances or words with a label"),
        ("a.TextGrid", grid({"text": [(0, 9, "")]}), "a.TextGrid has no tier of utterances or words with a label"),
        (
            "a.TextGrid",
            grid({"ann": [(0, 3, "Alpha."), (3, 9, "")], "bob": [(0, 2, ""), (2, 5, "Beta."), (5, 9, "")]}),
            "a.TextGrid, tier 'ann', interval 1 overlaps with another",
        ),
        ("a.eaf", "<ANNOTATION_DOCUMENT>", "a.eaf cannot be read as ELAN's XML"),
        ("a.eaf", "<svg/>", "a.eaf is not an ELAN file"),
        ("a.eaf", "<ANNOTATION_DOCUMENT/>", "a.eaf has no tier of utterances"),
        ("a.txt", "0.5 2.0 Alpha\n2.0 3.0 Beta\n", "a.txt is not a script: its lines begin with two numbers"),
        ("a.txt", "1\t2\t3\n4\t5\tx\n6\t7\t\n", ""),
        ("a.txt", "10\n11\n12\n", "a.txt is not a script: it holds more numbers than words"),
        ("a.txt", "a|Alpha.\nb|Beta.\n", "a.txt is not a script: it looks like a list; give it with --transcripts"),
        ("a.txt", SRT, "a.txt is not a script: it looks like subtitles; call it .srt or .vtt"),
        ("a.txt", grid({"text": [(0, 9, "x")]}), "a.txt is not a script: it looks like a TextGrid"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, content: str, reason: str, make: Make):
    found = find_transcripts(make("a.wav", "good.wav", files={name: content, "good.txt": "Text."}))
    assert reason in reasons(found)
    assert ("good", "Text.", None) in texts(found)


def test_a_label_track_is_no_script_even_where_a_script_is_asked_for(make: Make):
    found = find_transcripts(make("book.wav", files={"book.txt": LABELS}), form="beside")
    assert reasons(found) == (
        "book: book.txt is not a script: it looks like a label track; read it with --format audacity"
    )


@pytest.mark.parametrize("script", ["In 1999 2 men came.", "7 3 1 9", "Room 5.\nRoom 6 is next."])
def test_a_script_may_hold_numbers(script: str, make: Make):
    found = find_transcripts(make("a.wav", files={"a.txt": script}))
    assert texts(found) == [("a", " ".join(script.split()), None)]


def test_kaldi_runs_no_commands(tmp_path: Path):
    SAMPLES["kaldi"].write(tmp_path)
    (tmp_path / "data/train/wav.scp").write_text("u1 sox a.wav -t wav - |\nu2 b.wav\n", encoding="utf-8")
    found = find_transcripts(tmp_path)
    assert "u1: data/train/text:1 is a command, which is not run" in reasons(found)
    assert texts(found) == [("b", "Beta.", "bob")]


@pytest.mark.parametrize(
    ("recordings", "name", "content", "why", "expected"),
    [
        (
            ("x/a.wav", "y/a.wav"),
            "metadata.csv",
            "a.wav|Alpha.\nq/y/a.wav|Beta.\nz/a.wav|Gamma.\n",
            ["metadata.csv:1: a.wav may be x/a.wav or y/a.wav", "metadata.csv:3: there is no recording z/a.wav in the"],
            [("y-a", "Beta.", None)],
        ),
        (
            ("a.wav", "b.wav", "c.wav"),
            "metadata.csv",
            'file_name,text\na.wav,"Alpha\nb.wav,Beta.\nc.wav,"Gamma,\nand more."\n',
            ["metadata.csv:2 is not CSV"],
            [("b", "Beta.", None), ("c", "Gamma, and more.", None)],
        ),
        (
            ("a.wav", "b.wav"),
            "list.csv",
            "a.wav,Alpha, and more.\nb.wav,Beta.\n",
            ["list.csv:1 has 3 columns, but no header says which one is the text"],
            [("b", "Beta.", None)],
        ),
    ],
    ids=["two recordings that a path may mean", "an unclosed quote", "commas without a header"],
)
def test_a_bad_line_loses_no_other(recordings, name, content, why, expected, make: Make):
    found = find_transcripts(make(*recordings, files={name: content}))
    assert [one.reason.startswith(reason) for one, reason in zip(found.problems, why, strict=True)] == [True] * len(why)
    assert texts(found) == expected


def test_texts_in_another_language_are_problems(make: Make):
    listed = "file_name,text,language\na.wav,Alpha.,en-GB\nb.wav,Beta.,\nc.wav,Gamma.,English\nd.wav,Delta.,de\n"
    found = find_transcripts(make("a.wav", "b.wav", "c.wav", "d.wav", files={"metadata.csv": listed}))
    english, german = found.in_language("en", "English"), found.in_language("de", "German")
    assert [entry.id for entry in english.entries] == ["a", "b", "c"]
    assert [problem.reason for problem in english.problems] == ["metadata.csv:5 is in de, but was to be in English"]
    assert [entry.id for entry in german.entries] == ["b", "d"]


def test_another_form_is_named_where_many_lines_fail(make: Make):
    folder = make("a.wav", "b.wav", listed="a.wav|ann|en|Alpha.\nb.wav|ann|en|Beta.\n")
    (notice,) = find_transcripts(folder, form="paths").notices
    assert notice == (
        "2 of 2 lines of metadata.csv cannot be used; it was read as paths, but looks like gpt-sovits: "
        "try --format gpt-sovits"
    )


def test_the_choice_among_several_forms_is_stated(make: Make):
    folder = make("a.wav", "b.wav", files={"a.srt": SRT, "a.txt": "Alpha was here. Beta.", "b.txt": "Gamma."})
    found = find_transcripts(folder)
    assert (found.form, found.others) == ("srt and beside", ("beside",))
    assert texts(found) == [("a", "Alpha was here.", None), ("a", "Beta.", None), ("b", "Gamma.", None)]
    (folder / "metadata.csv").write_text("a|Alpha.\nb|Beta.\n", encoding="utf-8")
    found = find_transcripts(folder)
    assert (found.form, found.others) == ("ljspeech", ("srt and beside",))


def test_a_folder_without_texts_is_told_of_transcription(make: Make):
    folder = make("a.wav")
    with pytest.raises(BadInputError) as caught:
        find_transcripts(folder)
    assert "--transcribe" in caught.value.hint
    (folder / "a.wav").unlink()
    with pytest.raises(BadInputError, match="contains no recordings"):
        find_transcripts(folder)


@pytest.mark.parametrize("form", [*of_kind("corpus")])
def test_a_corpus_that_is_not_there_is_refused(form: str, make: Make):
    with pytest.raises(BadInputError, match=f"by which {form} is recognised"):
        find_transcripts(make("a.wav"), form=form)


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 40))])
def test_fuzzed_lists_end_without_a_traceback(seed: int, tmp_path: Path, mutated):
    """A thousand in the long form, 25 of a seed."""
    draw = random.Random(seed)
    for number in range(25):
        sample = draw.choice(list(SAMPLES.values()))
        folder = sample.write(tmp_path / f"{number}")
        edits = [
            (draw.choice(["set", "insert", "cut", "copy"]), draw.randrange(10**6), draw.randrange(1, 256))
            for _ in range(draw.randint(1, 12))
        ]
        (folder / sample.main).write_bytes(mutated(sample.files[sample.main].encode(), edits))
        found = read(folder, draw.choice([None, None, sample.form]))
        if found is not None:
            assert all(0 <= part.start < part.stop for one in found.entries for part in one.segments)
