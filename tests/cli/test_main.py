import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from voxgrad.cli.main import app, main
from voxgrad.errors import DivergedError, IntegrityError, VoxgradError
from voxgrad.store import Artifact, Store

RUN = "from voxgrad.cli.main import run; run()"
ROOT = Path(__file__).parent.parent.parent


def start(*arguments: str, code: str = RUN, **options) -> subprocess.Popen:
    # Buffered as for any user: a closed pipe then shows only at the end.
    # Bytecode is kept, as an installed command has it: to compile all sources would be most of a short command.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "", "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_what_needs_nothing_heavy_starts_at_once():
    """In its own processor time, which does not depend on what else the machine is doing."""
    heavy = {"torch", "numba", "numpy", "soundfile", "parselmouth"}

    def started(arguments: list[str], unwanted: set[str]) -> float:
        code = f"import sys, time; from voxgrad.cli.main import main; main({arguments});"
        code += f"print({unwanted} & sys.modules.keys(), time.process_time())"
        runs = [start(code=code).communicate(timeout=30) for _ in range(2)]
        assert all((err, out.splitlines()[-1].partition(")")[0]) == ("", "set(") for out, err in runs)
        return min(float(out.split()[-1]) for out, _ in runs)

    helped = started(["-h"], heavy | {"pydantic"})
    assert helped < 0.4
    assert started(["g2p", "-q", "Hello there, close the door."], heavy) < 8 * helped


@pytest.mark.parametrize("width", [60, 80])
def test_no_help_has_a_long_line_or_breaks_a_word(width: int, monkeypatch, done):
    monkeypatch.setenv("COLUMNS", str(width))
    commands = get_command(app).commands
    nested = [[name, word] for name, group in commands.items() for word in getattr(group, "commands", ())]
    for words in ([], *([name] for name in commands), *nested):
        for line in done(*words, "-h").out.splitlines():
            assert len(line) <= width, words
            assert re.search(r"[a-z]-$", line) is None, words


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["ls", "-h"], ["lexicon", "-h"], ["vocoder", "-h"]])
def test_help_names_the_commands_and_the_shared_options(arguments: list[str], done):
    words = set(done(*arguments).out.split())
    assert {"--home", "--json", "-q,", "-v,"} <= words
    assert len(arguments) == 2 or {"ls", "show", "vocoder", "--version"} <= words
    assert done("--version").out.startswith("voxgrad ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["lss"], "No such command 'lss'. Did you mean 'ls'? Run 'voxgrad -h' for help."),
        (["ls", "--jsn"], "No such option: --jsn (Possible options: --json). Run 'voxgrad ls -h' for help."),
        (["--jsn", "ls"], "No such option: --jsn"),
        (["show"], "Missing argument 'REF'. Run 'voxgrad show -h' for help."),
        (["ls", "a", "b"], "unexpected extra argument"),
        (["ls", "--home"], "requires an argument"),
        (["-q"], "Missing command."),
        (["vocoder"], "Missing command. Run 'voxgrad vocoder -h' for help."),
        (["import", "nowhere.pt"], "there is no nowhere.pt"),
        (["import", __file__], "the kind of this checkpoint is unknown"),
        (["import", str(Path(__file__).parent)], "holds no config.json"),
        (["ls", "voices"], "Did you mean voice?"),
        (["show", "alice"], "There is no artifact 'alice'"),
        (["-q", "ls", "-v"], "cannot be used together"),
    ],
)
def test_misuse_is_one_line_and_exit_2(arguments: list[str], complaint: str, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert complaint in err
    assert main([*arguments, "--json"] if "--home" not in arguments else ["--json", *arguments]) == 2
    out, again = capsys.readouterr()
    assert again == err or "--jsn" in again
    assert json.loads(out)["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (IntegrityError("It is damaged", "Restore it."), 3, "error: It is damaged. Restore it."),
        (DivergedError("Two\nlines", "Mend."), 5, "error: Two lines. Mend."),
        (MemoryError(), 4, "error: There is not enough memory."),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 4, "error: There is not enough memory."),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), 4, "error: There is not enough memory."),
        (OSError(28, "No space left on device"), 4, "error: No space left on device. Free some space, then run"),
        (RuntimeError("I/O error: No space (os error 28)"), 4, "error: No space left on device. Free some space"),
        (type("TerminatedWorkerError", (Exception,), {})(), 4, "error: A worker process ended unexpectedly"),
        (RuntimeError("can't start new thread"), 4, "error: No more threads can be started. Close other"),
        (FileNotFoundError(2, "No such file", "/a/b.c"), 4, "error: No such file (b.c). Check that its folder"),
        (IsADirectoryError(21, "Is a directory", "b.c"), 2, "error: Is a directory (b.c). Give another name."),
        (OSError(5, "Input/output error"), 4, "error: Input/output error. Check the disk."),
        (KeyboardInterrupt(), 130, "error: interrupted. Run the same command again"),
        (
            ZeroDivisionError("a\nb"),
            1,
            "error: internal error: ZeroDivisionError: a b. Run again with -v and report it.",
        ),
        (AssertionError(), 1, "error: internal error: AssertionError. Run again"),
    ],
)
def test_every_failure_is_one_line_with_its_exit_code(error: BaseException, code: int, line: str, monkeypatch, capsys):
    def fail(home: Path | None, **options: bool) -> Store:
        raise error

    monkeypatch.setattr(Store, "open", fail)
    assert main(["ls"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(line)
    assert err.count("\n") == 1
    assert main(["ls", "--json"]) == code
    out, again = capsys.readouterr()
    assert again == err
    told = json.loads(out)["error"]
    assert told["exit_code"] == code
    assert told["hint"] in err
    assert main(["ls", "-v"]) == code
    raised_by_us = isinstance(error, VoxgradError | KeyboardInterrupt)
    assert ("Traceback" in capsys.readouterr().err) == (not raised_by_us)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "ls", "--home", "HERE"],
        ["--home", "HERE", "ls", "--json"],
        ["--json", "ls", "--json", "--home=HERE"],
        ["--home", "/nowhere", "-v", "ls", "--json", "voice", "--home", "HERE"],
    ],
)
def test_the_shared_options_work_before_and_after_the_command(arguments: list[str], publish, done, tmp_path: Path):
    publish(tmp_path / "elsewhere", "voice", "bob")
    answer = done(*(word.replace("HERE", str(tmp_path / "elsewhere")) for word in arguments))
    assert "bob@v1" in [one["ref"] for one in json.loads(answer.out)["artifacts"]]
    assert answer.err == ""


def test_after_two_dashes_an_option_is_a_word(done):
    answer = done("show", "--", "--json", code=2)
    assert answer.out == ""
    assert "no artifact '--json'" in answer.err


WAIT = """
import time
from pathlib import Path
from voxgrad.cli.main import run
from voxgrad.store import Store

def wait(home, **options):
    with Store(home).stage("voice", "alice"):
        print("ready", flush=True)
        time.sleep(30)

Store.open = wait
run()
"""


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_ends_in_one_line_and_leaves_nothing(number: int, code: int, word: str, home: Path):
    process = start("ls", "--home", str(home), code=WAIT)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert len(list((home / "tmp").iterdir())) == 1
    process.send_signal(number)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == code
    assert complaint == f"error: {word}. Run the same command again to continue.\n"
    assert list((home / "tmp").iterdir()) == []


@pytest.mark.parametrize("arguments", [["ls", "--json"], ["ls", "-q"], ["-h"]])
def test_a_reader_that_leaves_is_no_error(arguments: list[str], alice: Artifact):
    process = start(*arguments)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(30) == 0
    process.stderr.close()
