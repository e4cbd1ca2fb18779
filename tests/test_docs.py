"""The code blocks of README, CONTRIBUTING and docs are executed on tiny artifacts; `NOT_RUN` says why others are not.

Names in the pages, such as ``alice``, stand for artifacts of the fixtures (`STAND_INS`), and training is cut to a few
steps (`SHORTER`); of trainings and evaluations `make test` checks the options alone, and `make test-long` runs them. A
new block fails here until it runs or is listed.
"""

import io
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pkgutil import resolve_name

import pytest
import torch

from voxgrad.cli.main import main
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import ModelSpec
from voxgrad.vocoder.hifigan import Generator, HiFiGANSpec

sys.path.insert(0, str(Path(__file__).parent / "documents"))
from books import write_epub

ROOT = Path(__file__).parent.parent

PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")))
RESEARCH = tuple(sorted(f"docs/research/{page.name}" for page in (ROOT / "docs/research").glob("*.md")))
"""Notes whose commands need recordings and models that are not shipped: only the names in them are checked."""
LONG = bool(os.environ.get("VOXGRAD_LONG"))
LENGTHY = ("voxgrad finetune", "voxgrad pretrain", "voxgrad vocoder train", "voxgrad evaluate")
PROGRAMS = {"voxgrad", "make", "pip", "python", "torchrun", ".venv/bin/python"}

_NETWORK = "installs packages from the network"
_SUITE = "runs the tests or linters themselves"
_CONFIGURATION = "of another program"
_LAYOUT = "a diagram, not code"
NOT_RUN = {
    ("README.md", "make demo"): "installs packages from the network, then trains for minutes",
    ("README.md", "make test"): _SUITE,
    ("README.md", "make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu"): _NETWORK,
    ("README.md", ".venv/bin/pip install '.[serve]'"): _NETWORK,
    ("CONTRIBUTING.md", "make setup"): _NETWORK,
    ("CONTRIBUTING.md", "make check"): _SUITE,
    ("CONTRIBUTING.md", ".venv/bin/python -m pytest tests/text"): _SUITE,
    ("CONTRIBUTING.md", "python -m voxgrad.options"): "writes into docs/; tests/test_options.py compares its tables",
    ("docs/architecture.md", "wavs + transcripts ─ prepare ─▶ dataset ─ finetune ─▶ voice ─ say ─▶ speech"): _LAYOUT,
    ("docs/architecture.md", "voxgrad/"): _LAYOUT,
    ("docs/base.md", None): "needs recordings and models that are not shipped",
    ("docs/anywhere.md", None): "needs a voice and a vocoder that can be exported; tests/onnx runs all of it",
    ("docs/languages.md", "pip install 'voxgrad[languages]'"): _NETWORK,
    (
        "docs/languages.md",
        'python -c "import espeakng_loader; print(espeakng_loader.get_data_path())"',
    ): "of another package",
    **{
        ("docs/languages.md", command): "needs a base that was taught it; tests/voice and tests/onnx have one"
        for command in (
            'voxgrad say --language es "Hola, ¿qué tal?" -o hola.wav',
            "voxgrad say --language auto -f mixed.txt -o mixed.wav",
            "voxgrad say \"<speak>She said <lang xml:lang='fr'>au revoir</lang>.</speak>\" -o bye.wav",
            "voxgrad export anna --format onnx --language es -o anna-es.onnx",
            "voxgrad prepare ./wavs --language de --name anna",
            "voxgrad finetune --data anna",
            'voxgrad say "Guten Morgen." -o morgen.wav',
            "voxgrad prepare ./wavs-pl --language pl --name pl",
            "voxgrad pretrain --base english --preset languages --data pl --name polish",
            'voxgrad say --language pl "Dzień dobry." -o dzien.wav',
        )
    },
    ("docs/say.md", 'voxgrad say "hello" --play'): "needs a player; tests/voice/test_delivery.py has a stand-in",
    ("docs/say.md", 'voxgrad say "hello" --like me.wav -o hello.wav'): "clones; tests/cli/test_like.py does too",
    ("docs/serve.md", "pip install 'voxgrad[serve]'"): _NETWORK,
    ("docs/serve.md", "voxgrad serve"): "runs until it is stopped; tests/server drives it",
    ("docs/serve.md", "from openai import OpenAI"): "needs a server; tests/server/test_speech_api.py has the same",
    **{
        ("docs/serve.md", first): "needs a server; tests/server/test_speech_api.py runs it"
        for first in (
            "curl http://127.0.0.1:8020/v1/audio/speech -H 'Content-Type: application/json' \\",
            "curl -sN http://127.0.0.1:8020/v1/audio/speech -H 'Content-Type: application/json' \\",
            "import httpx",
        )
    },
    ("docs/serve.md", "[Unit]"): _CONFIGURATION,
    ("docs/serve.md", "systemctl --user enable --now voxgrad"): _CONFIGURATION,
    ("docs/serve.md", "VOXGRAD_TOKEN=... docker compose -f docs/compose.yaml up -d"): _CONFIGURATION,
    ("docs/serve.md", "location / {"): _CONFIGURATION,
    ("docs/store.md", "HOME/artifacts/<kind>/<name>/v<N>/           manifest.json  manifest.sha256  payload…"): _LAYOUT,
    (
        "docs/training.md",
        "voxgrad finetune --budget 20m",
    ): "trains for twenty minutes; tests/training has short budgets",
    ("docs/training.md", "voxgrad finetune --preset fast"): "README.md has the same command, and runs it",
    ("docs/training.md", "pip install 'voxgrad[distributed]'"): _NETWORK,
    ("docs/training.md", "torchrun --nproc-per-node 2 --no-python voxgrad finetune --data lj"): (
        "needs an extra and two processes; see tests/training/test_distributed.py"
    ),
}
"""Page and command, or first line of another block; without a line, every block of the page."""

STAND_INS = {"alice": "robot", "lj": "robot", "REF": "robot", "VOICE": "robot"}
"""Names in the pages, and what answers to them here."""


def _set(*settings: str) -> tuple[str, ...]:
    return tuple(word for setting in ("precision=float32", *settings) for word in ("--set", setting))


_TO_ROBOT = ("--base", "robots", "--no-card")
SHORTER = {
    "voxgrad prepare ./wavs ": (),
    "voxgrad prepare ./wavs": ("--no-consent-needed", "synthetic"),  # it asks, but only at a terminal
    "voxgrad finetune --data lj": _TO_ROBOT,
    "voxgrad finetune": (*_TO_ROBOT, *_set("stages.0.steps=2", "stages.1.steps=1", "stages.1.crop=32")),
    "voxgrad pretrain": _set(
        *("stages.0.steps=2", "stages.1.steps=1", "stages.0.batch_size=2", "stages.1.batch_size=2"),
        *("model.n_enc_layers=1", "model.filter_channels=32", "model.dec_dim=16"),
    ),
    "voxgrad vocoder train --data lj --from": _set("stages.0.steps=1", "stages.0.batch_size=1"),
    "voxgrad vocoder train": _set(
        *("copies=0", "model.blocks=1", "model.channels=16", "model.iterations=1"),
        *("stages.0.steps=1", "stages.0.batch_size=1"),
        *("stages.1.steps=1", "stages.1.batch_size=1", "stages.1.crop=32"),
        *("stages.2.steps=1", "stages.2.batch_size=1", "stages.2.crop=32"),
    ),
}
"""What is added to commands that begin so, by the first entry that fits."""

_PRESET = """
description: one stage
precision: float32
stages:
  - train: [encoder, durations, decoder]
    alignment: frozen
    steps: 1
    batch_size: 2
    crop: 32
    learning_rate: 2.0e-4
"""
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:\A|(?<=\n\n))((?:    \S.*\n|    +\S.*\n|\n(?=    ))+)")


@dataclass(frozen=True)
class Code:
    """A command, or a block that is no list of commands."""

    page: str
    first: str
    text: str
    language: str

    @property
    def is_listed(self) -> bool:
        return (self.page, self.first) in NOT_RUN or (self.page, None) in NOT_RUN


def without_comment(line: str) -> str:
    return re.sub(r"\s+#.*$", "", line).strip()


@cache
def code_of(page: str) -> tuple[Code, ...]:
    """In order, the commands and the other blocks of a page."""
    content = (ROOT / page).read_text(encoding="utf-8")
    found = [(match.start(), match[1], match[2]) for match in _FENCE.finditer(content)]
    prose = _FENCE.sub(lambda match: "\n" * len(match[0]), content)  # of the same length, so that places stay
    found += [
        (match.start(), "", re.sub(r"^    ", "", match[1], flags=re.MULTILINE)) for match in _INDENTED.finditer(prose)
    ]
    return tuple(code for _, language, block in sorted(found) for code in pieces(page, language, block))


def pieces(page: str, language: str, block: str) -> Iterator[Code]:
    lines = [line for line in map(without_comment, block.splitlines()) if line]
    if language in {"", "sh", "shell", "bash", "console"} and all(line.split()[0] in PROGRAMS for line in lines):
        yield from (Code(page, line, line, "shell") for line in lines)
    else:
        yield Code(page, lines[0], block, language)


@pytest.fixture
def workplace(chain, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store and all files that the pages name; the working directory."""
    monkeypatch.setenv("VOXGRAD_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(chain.home, tmp_path / "home")
    shutil.copytree(recordings, tmp_path / "wavs")
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    shutil.copy(chain.sound, tmp_path / "in.wav")
    shutil.copy(recordings / "wavs" / "r07.wav", tmp_path / "take.wav")
    # A voice of a few steps knows no text from another.
    monkeypatch.setattr("voxgrad.conversion.durations.LEAST_MARGIN", -1e6)
    Path("takes").mkdir()
    shutil.copy(tmp_path / "take.wav", tmp_path / "takes" / "one.wav")
    Path("takes/one.txt").write_text("Snow covers the hill.", encoding="utf-8")
    Path("book.txt").write_text("The sun is warm.\n\nRain fell all day.\n", encoding="utf-8")
    page = "<h1>{0}</h1><p>The sun is warm.</p>"
    write_epub(Path("book.epub"), {f"{name}.xhtml": page.format(name) for name in ("One", "Two")})
    Path("joint.yaml").write_text(_PRESET, encoding="utf-8")
    return tmp_path


def write_official_checkpoints() -> None:
    """Files with the names and layouts of the official ones, but tiny."""
    sizes = {"n_enc_channels": 32, "filter_channels": 48, "filter_channels_dp": 24, "n_enc_layers": 1, "dec_dim": 16}
    torch.save(GradTTS(ModelSpec(**sizes)).state_dict(), "grad-tts.pt")
    config = json.loads((ROOT / "tests/reference/hifigan_tiny.config.json").read_text(encoding="utf-8"))
    Path("hifigan-config.json").write_text(json.dumps(config), encoding="utf-8")
    known = {key: value for key, value in config.items() if key in HiFiGANSpec.model_fields}
    torch.save({"generator": Generator(HiFiGANSpec(**known), 80).state_dict()}, "hifigan.pt")


def run_command(line: str) -> None:
    """Runs `voxgrad` in this process; what reads its output behind a pipe is left out."""
    words = shlex.split(line)
    words = words[: words.index("|")] if "|" in words else words
    assert words[0] == "voxgrad", "neither run nor listed in NOT_RUN"
    if words[1] == "import" and not Path("grad-tts.pt").exists():
        write_official_checkpoints()
    extra = next((extra for begin, extra in SHORTER.items() if line.startswith(begin)), ())
    if line.startswith(LENGTHY) and not LONG:
        extra = ("--help",)  # which refuses unknown options, and does no more
    arguments = [STAND_INS.get(word, word) for word in words[1:]]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*arguments, *extra])
    err.seek(0)
    assert code == 0, err.read()


def run_python(text: str) -> None:
    played: list[object] = []
    for name, stand_in in STAND_INS.items():
        text = text.replace(f'"{name}"', f'"{stand_in}"')
    exec(compile(text, "docs", "exec"), {"play": played.append})  # noqa: S102 - our own pages
    assert played


def run_json(text: str) -> None:
    lines = [
        json.dumps({**(told := json.loads(line)), "voice": STAND_INS[told["voice"]]}) for line in text.splitlines()
    ]
    Path("list.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run_command("voxgrad say -f list.jsonl -d list")


def run_lexicon(text: str) -> None:
    Path("lexicon.txt").write_text(text, encoding="utf-8")
    run_command(f"voxgrad g2p {text.split(maxsplit=1)[0]} --strict --lexicon lexicon.txt")


def run_dialogue(text: str) -> None:
    Path("play.txt").write_text(text, encoding="utf-8")


OTHERS = {
    ("docs/scripts.md", "alice: Good morning."): run_dialogue,
    ("docs/say.md", '{"text": "Good morning.", "voice": "alice", "out": "morning.flac"}'): run_json,
    ("docs/text.md", "voxgrad   V AA K S G R AE2 D"): run_lexicon,
}
"""How blocks are run that are neither commands nor Python."""


def run(code: Code) -> None:
    if code.language == "shell":
        run_command(code.text)
    elif code.language == "python":
        run_python(code.text)
    else:
        assert (code.page, code.first) in OTHERS, "neither run nor listed in NOT_RUN"
        OTHERS[code.page, code.first](code.text)


@pytest.mark.parametrize("page", [page for page in PAGES if any(not code.is_listed for code in code_of(page))])
def test_the_code_of_a_page_runs(page: str, workplace: Path, untrusted_read_in_process):
    for code in code_of(page):
        if not code.is_listed:
            try:
                run(code)
            except Exception as error:
                error.add_note(f"{page}: {code.first}")
                raise


def test_what_is_listed_exists():
    present = {(code.page, first) for page in PAGES for code in code_of(page) for first in (code.first, None)}
    assert set(NOT_RUN) | set(OTHERS) <= present


@pytest.mark.parametrize("page", [*PAGES, *RESEARCH])
def test_files_that_a_page_names_exist(page: str):
    content = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:voxgrad|tests|presets|docs)/[\w./-]+)`", content)
    named += re.findall(r"python (tests/[\w./]+)", content)
    linked = re.findall(r"\]\((?!https?:)([^)]+)\)", content)
    missing = [path for path in named if not (ROOT / path).exists()]
    assert missing + [path for path in linked if not (ROOT / page).parent.joinpath(path).exists()] == []


@pytest.mark.parametrize("page", [*PAGES, *RESEARCH])
def test_modules_and_names_that_a_page_names_exist(page: str):
    content = (ROOT / page).read_text(encoding="utf-8")
    for name in set(re.findall(r"`(voxgrad(?:\.\w+)+)`", content)):
        resolve_name(name)
