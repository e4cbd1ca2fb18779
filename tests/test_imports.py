"""Imports go down only, and what each layer may know beside them; the walks of docs/architecture.md go down too."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "architecture.md"
_STEP = re.compile(r"^( *)- `(voxgrad[\w.]+)`", re.MULTILINE)
PACKAGE = Path(__file__).parent.parent / "voxgrad"
LEVELS = (
    {"", "errors", "events", "files", "settings", "options", "presets", "samplers", "textgrid", "device", "threads"}
    | {"packing", "postfilter", "theme", "unicode"},
    {"text", "transcripts", "audio", "model", "store", "documents", "pictures"},
    {"weights"},
    {"acoustic_model"},
    {"vocoder"},
    {"training", "onnx"},
    {"voice"},
    {"preparation"},
    {"evaluation", "conversion"},
    {"steps"},
    {"clone"},
    {"server"},
    {"cli", "__main__"},
)
LAYERS = {package: layer for layer, packages in enumerate(LEVELS) for package in packages}
PUBLIC_API = {"voice", "store"}
"""What `voxgrad.load` opens; test_main.py sees that nothing heavy comes before it is called."""
TERMINAL = {"typer", "rich", "click"}
STORE_MAY_USE = {"pydantic", "platformdirs"}
OPEN_FILES = {"voxgrad.model.checkpoint", "voxgrad.model.untrusted"}
OPENERS = {"open", "read_bytes", "read_text", "write_bytes", "write_text", "mkdir", "unlink", "glob", "iterdir"}
FILE_MODULES = {"io", "os", "pathlib", "shutil", "soundfile", "safetensors", "pickle", "tempfile"}
FILE_CALLS = {f"{module}.{verb}" for module in ("torch", "np", "numpy") for verb in ("load", "save", "savez")}


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Full names that a module imports, each with its line; ``from a import b`` counts as ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def package_of(name: str) -> str:
    """The part of voxgrad that an imported name lies in: ``voxgrad.model.mas`` → ``model``, else ''."""
    part = f"{name}.".split(".")[1]
    return part if (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").is_file() else ""


def violations(module: str, source: str) -> list[str]:
    """What a module's source does against the rules, a line each."""
    tree = ast.parse(source)
    here = f"{module}.".split(".")[1]
    if here not in LAYERS:
        return [f"{module}: has no layer; give it one in {Path(__file__).name}"]
    found = []
    for name, line in imported(tree):
        top = name.split(".")[0]
        there = package_of(name)
        if top == "voxgrad":
            found += [f"{module}:{line}: {reason} ({name})" for reason in _upwards(module, here, there, name)]
        elif top in TERMINAL and here not in {"cli", "__main__"}:
            found.append(f"{module}:{line}: only cli knows {top}")
        elif here == "store" and top not in sys.stdlib_module_names and top not in STORE_MAY_USE:
            found.append(f"{module}:{line}: the store does without {top}")
    if here == "cli":
        found += [
            f"{module}:{line}: imports {name} before it is needed"
            for name, line in _at_start(tree)
            if name.startswith("voxgrad.") and 0 < LAYERS.get(package_of(name), 0) < LAYERS["cli"]
        ]
    if here == "model" and module not in OPEN_FILES:
        found += [f"{module}:{line}: only checkpoint.py opens files ({what})" for what, line in _file_use(tree)]
    return found


def _upwards(module: str, here: str, there: str, name: str) -> Iterator[str]:
    if module == "voxgrad" and there in PUBLIC_API:
        return
    if there not in LAYERS:
        yield "imports what has no layer"
    elif LAYERS[there] > LAYERS[here]:
        yield "imports go down only"
    elif LAYERS[there] == LAYERS[here] > 0 and here not in {there, "__main__"}:
        yield "packages of one layer do not know each other"
    elif here == there == "steps" and not f"{name}.".startswith(f"{module}."):
        yield "steps do not know each other"


def _at_start(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Imports that happen when the module is loaded, not when a function runs."""
    first = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    yield from imported(ast.Module(first, []))


def _file_use(tree: ast.AST) -> Iterator[tuple[str, int]]:
    yield from ((name, line) for name, line in imported(tree) if name.split(".")[0] in FILE_MODULES)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in OPENERS or called in FILE_CALLS:
                yield called, node.lineno


def modules() -> list[tuple[str, Path]]:
    paths = sorted(PACKAGE.rglob("*.py"))
    named = [(".".join(("voxgrad", *path.relative_to(PACKAGE).with_suffix("").parts)), path) for path in paths]
    return [(name.removesuffix(".__init__"), path) for name, path in named]


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_imports_go_down_only(module: str, path: Path):
    assert violations(module, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("voxgrad.model.mas", "from voxgrad.training.trainer import train", "imports go down only"),
        ("voxgrad.text.tokens", "def f():\n    import voxgrad.cli.main", "imports go down only"),
        ("voxgrad.text.tokens", "from voxgrad.audio.io import read", "do not know each other"),
        ("voxgrad.steps.say", "from voxgrad.steps import prepare", "steps do not know"),
        ("voxgrad.steps.say", "import rich.progress", "only cli knows rich"),
        ("voxgrad.store.store", "def f():\n    import numpy as np", "does without numpy"),
        ("voxgrad.cli.say", "import voxgrad.store", "before it is needed"),
        ("voxgrad.model.mas", "from pathlib import Path", "only checkpoint.py opens files"),
        ("voxgrad.model.mas", "def f(path):\n    return path.read_bytes()", "only checkpoint.py opens files"),
        ("voxgrad.model.mas", "torch.load('x')", "only checkpoint.py opens files"),
        ("voxgrad.attic", "x = 1", "has no layer"),
    ],
)
def test_each_offence_is_found(module: str, source: str, complaint: str):
    found = violations(module, source)
    assert len(found) == 1
    assert complaint in found[0]


STEPS = [(len(indent) // 2, name) for indent, name in _STEP.findall(PAGE.read_text(encoding="utf-8"))]


def calls() -> list[tuple[str, str]]:
    """Who calls whom."""
    above: list[str] = []
    found = []
    for depth, name in STEPS:
        above[depth:] = [name]
        if depth:
            found.append((above[depth - 1], name))
    return found


def test_there_are_four_walks():
    assert sum(depth == 0 for depth, _ in STEPS) == 4


def test_functions_of_a_walk_exist_and_go_down_only():
    assert [name for _, name in STEPS if not callable(resolve_name(name))] == []
    assert [call for call in calls() if LAYERS[package_of(call[1])] > LAYERS[package_of(call[0])]] == []
