"""Recordings of our own making, and the whole chain made of them once, by the real commands."""

import os
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from voxgrad.audio.io import write_audio
from voxgrad.cli.main import main
from voxgrad.files import advisory_lock
from voxgrad.model import untrusted
from voxgrad.settings import TextSpec
from voxgrad.store import Artifact, Store
from voxgrad.text.tokens import encode
from voxgrad.training import losses

sys.path.insert(0, str(Path(__file__).parent))
from formant_synthesis import speak_phones

# Bytecode is kept, as an installed package has it: where the environment forbids it, every process that a test starts
# would compile all sources, and pytest rewrite all tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

SENTENCES = (
    "The sun is warm.",
    "A bird sang at dawn.",
    "Bring me the cup.",
    "Rain fell all day.",
    "He closed the door.",
    "Two dogs ran home.",
    "They sold the house.",
    "Snow covers the hill.",
    "She reads a book.",
    "I like green apples.",
)
SOME_STEPS = (
    *("--preset", "tiny", "--set", "precision=float32"),
    *("--set", "stages.0.steps=8", "--set", "stages.0.batch_size=4", "--set", "stages.0.warmup=0"),
    *("--set", "stages.1.steps=3", "--set", "stages.1.batch_size=4", "--set", "stages.1.crop=32"),
)
"""Options of pretrain and finetune that make them a matter of seconds."""

SYNTHETIC = ("--no-consent-needed", "synthetic")
"""Options of prepare without which nothing can be cloned."""

Record = Callable[..., None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what is marked as slow, unless `make test-long` asks for it; begins with what needs the server."""
    items.sort(key=lambda item: item.path.parent.name != "server")
    if not os.environ.get("VOXGRAD_LONG"):
        for item in items:
            if item.get_closest_marker("slow") is not None:
                item.add_marker(pytest.mark.skip(reason="takes longer: see `make test-long`"))


# Shells have their background ignore Ctrl-C, and so would everything that the tests begin and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Chain:
    """A home with one artifact of every kind but a vocoder."""

    home: Path
    recordings: Path
    sound: Path
    dataset: Artifact
    base: Artifact
    voice: Artifact
    speech: Artifact


@dataclass(frozen=True)
class RecordingOutcome:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def short_validation() -> Iterator[None]:
    """Judges decoders on crops of 64 frames: most of a training of few steps is validation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(losses, "_FRAMES", 64)
        yield


@pytest.fixture(scope="session")
def record() -> Record:
    """A function that writes ``{name: text}`` as recordings into a folder, without a list of them."""

    def record(folder: Path, texts: Mapping[str, str], f0: float = 120.0, seconds_of: str | None = None) -> None:
        for seed, (name, text) in enumerate(texts.items()):
            encoded = encode(text if seconds_of is None else seconds_of, TextSpec(add_blank=False))
            path = folder / (name if Path(name).suffix in {".wav", ".flac"} else f"{name}.wav")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_audio(path, speak_phones(encoded.phones, seed, f0))

    return record


@pytest.fixture(scope="session")
def synthetic() -> tuple[str, ...]:
    return SYNTHETIC


@pytest.fixture(scope="session")
def steps() -> tuple[str, ...]:
    return SOME_STEPS


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that makes a folder once for all processes of the run: ``shared(name, make)``."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def shared(name: str, make: Callable[[Path], None]) -> Path:
        folder, made = base / "shared" / name, base / "shared" / f"{name}.made"
        folder.mkdir(parents=True, exist_ok=True)
        with advisory_lock(base / "shared" / f"{name}.lock", patience=900):
            if not made.exists():
                make(folder)
                made.touch()
        return folder

    return shared


@pytest.fixture(scope="session")
def recordings(shared: Callable[..., Path], record: Record) -> Path:
    """Ten short sentences in LJSpeech's form. For reading only."""

    def make(folder: Path) -> None:
        texts = {f"r{number:02}": text for number, text in enumerate(SENTENCES)}
        record(folder / "robot" / "wavs", texts)
        lines = (f"{name}|{text}|{text}\n" for name, text in texts.items())
        (folder / "robot" / "metadata.csv").write_text("".join(lines), encoding="utf-8")

    return shared("recordings", make) / "robot"


@pytest.fixture(scope="session")
def chain(shared: Callable[..., Path], recordings: Path) -> Chain:
    """prepare → pretrain → finetune → say. For reading only: see ``furnished``."""

    def make(place: Path) -> None:
        speech = ["-o", str(place / "out.wav"), "--voice", "robot", "--vocoder", "griffinlim", "--steps", "2"]
        for command in (
            ["prepare", str(recordings), *SYNTHETIC],
            ["pretrain", "--data", "robot", "--name", "robots", *SOME_STEPS],
            ["finetune", "--data", "robot", "--base", "robots", "--no-card", *SOME_STEPS],
            ["say", "Hello there.", *speech],
        ):
            assert main([*command, "--home", str(place / "home"), "-q"]) == 0, command

    place = shared("chain", make)
    store = Store.open(place / "home")
    kinds = {"dataset": "robot", "base": "robots", "voice": "robot", "speech": "robot"}
    found = {kind: store.find(name, kind) for kind, name in kinds.items()}
    return Chain(place / "home", recordings, place / "out.wav", **found)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., RecordingOutcome]:
    """Runs a command in this process, in a folder and with a home of its own."""
    monkeypatch.setenv("VOXGRAD_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> RecordingOutcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return RecordingOutcome(code, out, err)

    return command


@pytest.fixture
def done(command: Callable[..., RecordingOutcome]) -> Callable[..., RecordingOutcome]:
    """Runs a command that must succeed, or fail with ``code``."""

    def done(*arguments: object, code: int = 0) -> RecordingOutcome:
        outcome = command(*arguments)
        assert outcome.code == code, outcome.err
        return outcome

    return done


@pytest.fixture
def furnished(chain: Chain, tmp_path: Path, command: Callable[..., RecordingOutcome]) -> Store:
    """A copy of the chain's home that a test may change; ``command`` works in it."""
    shutil.copytree(chain.home, tmp_path / "home", dirs_exist_ok=True)
    return Store.open(tmp_path / "home")


@pytest.fixture
def refused(command: Callable[..., RecordingOutcome]) -> Callable[..., str]:
    """Runs a command that must be refused: exit 2, one line, nothing left behind. Returns the line."""

    def refused(*arguments: object) -> str:
        home = Path(os.environ["VOXGRAD_HOME"])
        before = everything(home)
        outcome = command(*arguments, "-q")
        assert outcome.code == 2, outcome.err
        assert outcome.out == ""
        assert outcome.err.startswith("error: ")
        assert outcome.err.count("\n") == 1
        assert everything(home) == before
        return outcome.err

    return refused


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], None]:
    """Makes a program that is the only one there is."""

    def program(name: str, script: str) -> None:
        folder = tmp_path / "programs"
        folder.mkdir()
        monkeypatch.setenv("PATH", str(folder))
        if name:
            (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n", encoding="utf-8")
            (folder / name).chmod(stat.S_IRWXU)

    return program


@pytest.fixture
def untrusted_read_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads untrusted checkpoints in this process, which is quicker, where its limits are not what is tested."""
    monkeypatch.setattr(untrusted, "_read_elsewhere", untrusted.attempt)


def everything(home: Path) -> set[Path]:
    """All that lies in a home but its own two files."""
    rooms = ("artifacts", "runs", "tmp", "trash")
    return {path for room in rooms for path in (home / room).rglob("*")}


@pytest.fixture(scope="session")
def mutated() -> Callable[[bytes, list[tuple[str, int, int]]], bytes]:
    """Damages a file's content, edit by edit: what is done, where, and with what."""

    def mutated(content: bytes, edits: list[tuple[str, int, int]]) -> bytes:
        changed = bytearray(content)
        for how, where, what in edits:
            at = where % (len(changed) + 1)
            if how == "set" and at < len(changed):
                changed[at] = what
            elif how == "insert":
                changed[at:at] = bytes([what]) * (1 + what % 40)
            elif how == "cut":
                del changed[at : at + what]
            elif how == "copy":
                changed[at:at] = changed[at // 2 : at // 2 + what]
        return bytes(changed)

    return mutated
