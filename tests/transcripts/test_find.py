import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tables import rows
from voxgrad.errors import BadInputError
from voxgrad.transcripts.beside import script_beside
from voxgrad.transcripts.find import find_transcripts
from voxgrad.transcripts.lists import rows as lines_of
from voxgrad.transcripts.registry import BadRow

Make = Callable[..., Path]


def found(folder: Path, transcripts: Path | None = None) -> list[tuple[str, str, str | None]]:
    there = find_transcripts(folder, transcripts)
    assert there.problems == []
    return [(entry.id, entry.text, entry.speaker) for entry in there.entries]


def problem(folder: Path) -> str:
    there = find_transcripts(folder)
    assert len(there.problems) == 1
    assert [entry.id for entry in there.entries] == ["good"]
    return there.problems[0].reason


@pytest.mark.parametrize(
    ("recordings", "listed", "expected"),
    [
        (("wavs/a.wav", "wavs/b.flac"), "a|Alpha.\nb|Beta.\n", [("a", "Alpha.", None), ("b", "Beta.", None)]),
        (
            ("a.wav", "b.wav"),
            "a|It costs 5.|It costs five.\nb|Beta.|\n",
            [("a", "It costs five.", None), ("b", "Beta.", None)],
        ),
        (
            ("one/a.wav", "wavs/b.flac"),
            "one/a.wav|Alpha.\nb.flac|Beta.\n",
            [("one-a", "Alpha.", None), ("b", "Beta.", None)],
        ),
        (("a.wav", "b.wav"), "a.wav|Alpha.|ann\nb.wav|Beta.|\n", [("a", "Alpha.", "ann"), ("b", "Beta.", None)]),
        (
            ("my voice 1.wav", "wavs/größe.wav", "1.5 m.wav"),
            "my voice 1|A.\ngröße|B.\n1.5 m|C.\n",
            [("my voice 1", "A.", None), ("größe", "B.", None), ("1.5 m", "C.", None)],
        ),
        *(
            (("a.wav", "b.wav"), listed, [("a", "Alpha.", None), ("b", "Beta.", None)])
            for listed in ("\ufeffa|Alpha.\r\nb|Beta.\r\n", "\n  \na|Alpha.\n\nb|Beta.", " a | Alpha.\nb|\tBeta. \n")
        ),
        *(
            (("a.wav",), f"a|Alpha{separator}beta.\n", [("a", "Alpha beta.", None)])
            for separator in ("\u2028", "\x85", "\x0b", "\xa0", "\x1c")
        ),
    ],
)
def test_a_list(recordings: tuple[str, ...], listed: str, expected: list[tuple[str, str, str | None]], make: Make):
    folder = make(*recordings, listed=listed)
    assert found(folder) == expected
    entries = find_transcripts(folder).entries
    assert [entry.recording for entry in entries] == [folder / name for name in recordings]
    assert all(entry.source.startswith("metadata.csv:") for entry in entries)


def test_a_list_elsewhere(make: Make, tmp_path: Path):
    folder = make("a.wav", listed="a|Not this.\n")
    elsewhere = tmp_path / "list.txt"
    elsewhere.write_text("a|But this.\n", encoding="utf-8")
    assert found(folder, elsewhere) == [("a", "But this.", None)]


def test_a_folder_called_wavs_has_its_list_above(make: Make, monkeypatch: pytest.MonkeyPatch):
    folder = make("wavs/a.wav", listed="a|Alpha.\n")
    assert found(folder / "wavs") == [("a", "Alpha.", None)]
    monkeypatch.chdir(folder / "wavs")
    assert found(Path()) == [("a", "Alpha.", None)]


def test_a_text_beside_each_recording(make: Make):
    folder = make("a.wav", "deep/b.flac", files={"a.txt": " Alpha\n and more.\n", "deep/b.txt": "\ufeffBeta."})
    assert found(folder) == [("a", "Alpha and more.", None), ("deep-b", "Beta.", None)]


def test_names_of_files_are_the_same_in_composed_and_decomposed_letters(make: Make):
    """A Mac's files have decomposed names, and most lists composed ones; a text beside a recording may have either."""
    decomposed = ("wavs/gro\u0308\u00dfe.wav", "wavs/cafe\u0301.wav", "e\u0301/x.wav", "e\u0301/y.wav")
    listed = "größe|A.\ncafé.wav|B.\né/x.wav|C.\ne\u0301/y|D.\n"
    folder = make(*decomposed, listed=listed)
    assert [entry[0] for entry in found(folder)] == ["größe", "café", "é-x", "é-y"]
    (folder / "metadata.csv").unlink()
    for name, stem in zip("ABCD", ("wavs/größe", "wavs/café", "e\u0301/x", "e\u0301/y"), strict=True):
        (folder / f"{stem}.txt").write_text(f"{name}.", encoding="utf-8")
    assert sorted(entry[0] for entry in found(folder)) == ["wavs-café", "wavs-größe", "é-x", "é-y"]
    assert script_beside(folder / "wavs" / "cafe\u0301.wav") == "B."


@pytest.mark.parametrize(("line", "reason"), rows("transcripts/lines.tsv", "line"))
def test_a_line_that_cannot_be_used_is_left_out_with_its_reason(line: str, reason: str, make: Make, tmp_path: Path):
    (tmp_path / "outside.wav").touch()
    folder = make("good.wav", "other.wav", listed=f"good|Text.\n{line}\n")
    assert reason in problem(folder)


def test_links_of_the_folder_are_followed(make: Make, tmp_path: Path):
    blobs = tmp_path / "blobs"
    (blobs / "more" / "deep").mkdir(parents=True)
    for name, content in {"0a": "", "0b": "a|Alpha.\nmore/b|Beta.\nmore/deep/c|Gamma.\n"}.items():
        (blobs / name).write_text(content, encoding="utf-8")
    (blobs / "more" / "b.wav").touch()
    (blobs / "more" / "deep" / "c.wav").symlink_to(blobs / "0a")
    folder = make("d.wav", files={"d.txt": "Delta."})
    for name, target in {
        "a.wav": "0a",
        "metadata.csv": "0b",
        "more": "more",
        "again": "more/deep",  # which `more` holds
        "more/deep/loop": "more",
        "more/up": "..",
        "more/loop.wav": "more/loop.wav",
    }.items():
        (folder / name).symlink_to(blobs / target)
    (folder / "up").symlink_to(folder.parent)
    (folder / "self").symlink_to(folder)
    assert found(folder) == [("a", "Alpha.", None), ("more-b", "Beta.", None), ("more-deep-c", "Gamma.", None)]
    (folder / "metadata.csv").unlink()
    beside = find_transcripts(folder)
    assert [entry.id for entry in beside.entries] == ["d"]
    assert sorted(one.id for one in beside.problems) == ["a", "more-b", "more-deep-c", "more-loop"]


@pytest.mark.parametrize("listed", ["good|Text.\ngone|Text.\n", None])
def test_a_link_to_nothing_is_named(listed: str | None, make: Make, tmp_path: Path):
    beside = dict.fromkeys(("good.txt", "gone.txt"), "Text.") if listed is None else {}
    folder = make("good.wav", listed=listed, files=beside)
    (folder / "gone.wav").symlink_to(tmp_path / "annex" / "gone.wav")
    assert "gone.wav is a link to a file that is not there (fetch it with `dvc pull` or" in problem(folder)


@pytest.mark.parametrize(("content", "recording", "name"), rows("transcripts/lines.tsv", "name"))
def test_endings_and_names_match_in_any_capitals(recording: str, name: str, content: str, make: Make):
    there = find_transcripts(make(recording, files={name: content}))
    assert there.problems == []
    assert [(entry.recording.name, entry.text) for entry in there.entries] == [(Path(recording).name, "Alpha.")]


def test_recordings_that_differ_in_their_endings_are_different_ones(make: Make):
    folder = make("a.wav", "a.flac", "b.wav", listed="a.wav|Alpha.\na.flac|Other.\na|Whose?\nb|Beta.\n")
    there = find_transcripts(folder)
    assert [(entry.id, entry.recording.name, entry.text) for entry in there.entries] == [
        ("a.wav", "a.wav", "Alpha."),
        ("a.flac", "a.flac", "Other."),
        ("b", "b.wav", "Beta."),
    ]
    assert [one.reason for one in there.problems] == ["metadata.csv:3: a may be a.flac or a.wav: write its ending"]
    (folder / "metadata.csv").unlink()
    (folder / "b.txt").write_text("Beta.", encoding="utf-8")
    (folder / "a.txt").write_text("Whose?", encoding="utf-8")
    reasons = {one.id: one.reason for one in find_transcripts(folder).problems}
    assert reasons["a.wav"] == "a.txt may be the text of a.wav or of a.flac: call it a.wav.txt or a.flac.txt"
    assert reasons.keys() == {"a.wav", "a.flac"}
    (folder / "a.wav.txt").write_text("Alpha.", encoding="utf-8")
    (folder / "a.FLAC.txt").write_text("Other.", encoding="utf-8")
    (folder / "a.txt").unlink()
    assert found(folder) == [("a.flac", "Other.", None), ("a.wav", "Alpha.", None), ("b", "Beta.", None)]
    assert script_beside(folder / "a.flac") == "Other."


def test_a_text_belongs_to_the_recording_that_is_called_just_so(make: Make):
    assert problem(make("good.wav", "Good.wav", files={"good.txt": "Text."})) == "Good.wav has no Good.txt beside it"


@pytest.mark.parametrize("name", ["/home/ann/gone.wav", "C:\\Users\\ann\\gone.wav"])
def test_paths_of_another_machine_are_not_shown(name: str, make: Make):
    there = find_transcripts(make("good.wav", listed=f"good.wav|Text.\n{name}|Text.\n"))
    assert [(one.id, one.reason) for one in there.problems] == [
        ("gone.wav", "metadata.csv:2: there is no recording gone.wav in the folder")
    ]


@pytest.mark.parametrize("name", ["wavs/../deep/a.wav", "./deep/a.wav", "deep//a.wav", "ABSOLUTE/deep/a.wav", "deep/a"])
def test_an_id_is_one_plain_name_however_the_path_is_written(name: str, make: Make, tmp_path: Path):
    path = name.replace("ABSOLUTE", str(tmp_path / "voice"))
    assert found(make("deep/a.wav", "wavs/b.wav", listed=f"{path}|Alpha.\n")) == [("deep-a", "Alpha.", None)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "b.wav has no b.txt beside it"),
        (b" \n", "b.txt is empty"),
        (b"caf\x81", "b.txt is not text in UTF-8, UTF-16 or Latin-1"),
    ],
)
def test_a_recording_without_its_text_is_left_out(content: bytes | None, reason: str, make: Make):
    files = {"good.txt": b"Text."} | ({} if content is None else {"b.txt": content})
    assert problem(make("good.wav", "b.wav", files=files)) == reason


def test_a_name_that_is_not_utf8_can_be_written_down(make: Make):
    folder = make("good.wav", files={"good.txt": "Text."})
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav")).touch()
    except OSError:
        pytest.skip("the file system takes only UTF-8 names")
    problems = find_transcripts(folder).problems
    assert [one.id.encode() for one in problems] == [b"caf?"]


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (b"a|c\x81f\x8f\n", "metadata.csv is not text in UTF-8, UTF-16 or Latin-1"),
        (b"\xff\xfea|A", "metadata.csv is not text in UTF-8, UTF-16 or Latin-1"),
        (b"\x7fELF\x02\x01\x01\x03", "metadata.csv is not text in UTF-8, UTF-16 or Latin-1"),
        (b"", "metadata.csv has no lines"),
        (b"\n \n", "metadata.csv has no lines"),
        (None, "contains no transcripts"),
    ],
)
def test_what_is_no_list_is_refused(listed: bytes | None, message: str, make: Make):
    with pytest.raises(BadInputError) as caught:
        find_transcripts(make("a.wav", listed=listed))
    assert message in caught.value.message


def test_a_missing_folder_or_list_is_refused(make: Make, tmp_path: Path):
    with pytest.raises(BadInputError, match="there is no folder"):
        find_transcripts(tmp_path / "nowhere")
    with pytest.raises(BadInputError, match="there is no transcript list"):
        find_transcripts(make("a.wav"), tmp_path / "nowhere.txt")
    with pytest.raises(BadInputError, match="there is no transcript list"):
        find_transcripts(tmp_path / "voice", tmp_path)


def test_a_list_without_permission_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch):
    folder = make("a.wav", listed="a|Alpha.\n")

    def deny(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", deny)
    with pytest.raises(BadInputError, match=r"metadata.csv cannot be read \(Permission denied\)"):
        find_transcripts(folder)


@pytest.mark.parametrize(("line", "form", "reason"), rows("transcripts/lines.tsv", "form"))
def test_a_bad_line_is_told_of_with_its_number(form: str, line: str, reason: str):
    (bad,) = lines_of(f"\n{line}\n", form)
    assert isinstance(bad, BadRow)
    assert (bad.line, reason in bad.reason) == (2, True)
