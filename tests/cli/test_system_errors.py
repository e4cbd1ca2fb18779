"""What the machine refuses: full disks, closed streams, libraries that do not load. One line, and exit 4."""

import importlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tests.cli.test_main import ROOT, RUN
from tests.documents.books import write_epub
from voxgrad import errors
from voxgrad.cli.main import UnfailingStream, main
from voxgrad.errors import EnvironmentFailureError
from voxgrad.store import Store
from voxgrad.training.checkpoint import Checkpoint, TrainerState, save_checkpoint

FAST = ("--voice", "robot", "--vocoder", "griffinlim", "--steps", "1")
TEXT = "Snow covers the hill."
FULL = {
    "say": ("say", TEXT, *FAST, "-o", "x.wav"),
    "say into a folder": ("say", "-f", "lines.txt", *FAST, "-d", "out", "--format", "flac"),
    "say a book": ("say", "book.epub", *FAST, "-o", "book.opus"),
    "export": ("export", "voice/robot", "-o", "r.voxgrad"),
    "export --half": ("export", "voice/robot", "--half"),
    "import": ("import", "given.voxgrad", "--name", "given"),
    "align": ("align", "voice/robot", "-o", "grids"),
    "lexicon": ("lexicon", "add", "zorgle", "Z AO1 R G AH0 L"),
}


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """A disk with no room for a file of more bytes, for this process and for every library in it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def supplied(furnished, done):
    """A home and a working folder with something to do for each of `FULL`."""
    Path("lines.txt").write_text("Hello.\nGood bye.\n", encoding="utf-8")
    write_epub(Path("book.epub"), {"a.xhtml": f"<p>{TEXT}</p>"})
    done("export", "base/robots", "-o", "given.voxgrad")


@pytest.mark.parametrize("name", FULL)
def test_a_full_disk_is_told_and_the_same_command_goes_on(name, supplied, command, done):
    with full_disk(10):
        outcome = done(*FULL[name], "-q", code=4)
    line = outcome.err.splitlines()[-1]
    assert line.startswith("error: ")
    assert "run the same command again" in line
    done(*FULL[name], "-q")


def test_what_libraries_make_of_a_full_disk_is_told_as_one(tmp_path):
    tensors = {"model": {"a": torch.zeros(9000)}}
    states = {"optimizer": {"a": torch.zeros(9000)}}
    for networks, optimizers in ((tensors, {}), ({}, states)):
        with full_disk(9000), pytest.raises(EnvironmentFailureError, match="disk is full: cannot save"):
            save_checkpoint(tmp_path, Checkpoint(TrainerState(0, 0, 0), networks, optimizers))
    refused = pytest.raises(EnvironmentFailureError, match="disk is full: cannot write dataset")
    with full_disk(9000), refused, Store(tmp_path / "home").stage("dataset", "new") as staged:
        save_file({"a": np.zeros(9000)}, staged.directory / "mels.safetensors")


def stand_in(place: Path, name: str, content: str) -> None:
    """An installed package of one module."""
    (place / f"{name}.py").write_text(content, encoding="utf-8")
    (place / f"{name}-1.2.dist-info").mkdir()
    (place / f"{name}-1.2.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 1.2\n")
    (place / f"{name}-1.2.dist-info" / "RECORD").write_text(f"{name}.py,,\n")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            "import ctypes; ctypes.CDLL('/nowhere/libx.so')",
            "broken_one 1.2 does not load (/nowhere/libx.so: cannot open",
        ),
        (
            "raise ImportError('Needs NumPy 1')",
            "broken_one 1.2 does not load (Needs NumPy 1). Repair it with: pip install --force-reinstall broken_one.",
        ),
        (
            "import numpy; numpy.array_split([1], 0)",
            f"broken_one 1.2 does not load with numpy {np.__version__} (number sections must be larger than 0.).",
        ),
    ],
)
def test_a_library_that_does_not_load_is_named_with_what_mends_it(content, says, tmp_path, monkeypatch, capsys):
    stand_in(tmp_path, "broken_one", content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Store, "open", lambda *_, **__: importlib.import_module("broken_one"))
    errors._distributions.cache_clear()
    assert main(["ls"]) == 4
    errors._distributions.cache_clear()
    line = capsys.readouterr().err
    assert line.startswith(f"error: {says}")
    assert ("--upgrade broken_one 'numpy>=" in line) == (" with numpy" in line)


def test_an_extension_module_that_does_not_load_is_named_too():
    error = errors.as_voxgrad_error(ImportError("x.so: undefined symbol: y", name="parselmouth"))
    assert str(error).startswith("praat-parselmouth 0.")
    assert "does not load (x.so: undefined symbol: y)" in str(error)
    assert errors.as_voxgrad_error(ImportError("no name", name="voxgrad.store")) is None
    # Of an extra, the extra mends it: it also names what its packages need and do not ask for.
    error = errors.as_voxgrad_error(ImportError("no name", name="wyoming"))
    assert str(error).endswith("Repair it with: pip install --force-reinstall 'voxgrad[serve]'.")


def shell(words: str, *arguments: str) -> subprocess.CompletedProcess:
    """Runs voxgrad with what a shell does to its streams."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" "$@" {words}', sys.executable, "-c", RUN, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "arguments", "code"),
    [
        (">&- 2>&- <&-", ["ls"], 0),
        ("2>/dev/full", ["lss"], 2),
        (">/dev/full", ["--version"], 4),
        ("", ["show", "caf\udce9"], 2),
    ],
)
def test_streams_that_are_closed_or_full_change_no_exit_code(words, arguments, code):
    outcome = shell(words, *arguments)
    assert outcome.returncode == code, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "internal" not in outcome.stderr


def test_what_nobody_reads_stops_no_work(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        log = UnfailingStream(stream)
        log.write("lost")
        log.flush()
        print("lost too", file=log, flush=True)


def test_long_work_says_at_once_what_it_does():
    """In the first line, which comes before torch is loaded."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "finetune", "--data", "nobody"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "loading PyTorch …\n"
    mapped = Path(f"/proc/{process.pid}/maps")
    assert not mapped.exists() or "libtorch" not in mapped.read_text()
    process.kill()
    process.communicate()
