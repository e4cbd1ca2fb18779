"""Build the wheel `voxgrad-say`: the same package, with the 8-bit graph of its base instead of weights for torch.

Usage: build_say.py DIST [--steps N] [--home HOME]. Needs all of voxgrad, with the extra `onnx`.
Where no vocoder that comes with the package can be in a graph, the wheel holds no voice, and speaks with those that are
imported.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from voxgrad.errors import BadInputError
from voxgrad.events import ignore
from voxgrad.onnx.export import graph_of
from voxgrad.onnx.runtime import KIND
from voxgrad.settings import OnnxSpec
from voxgrad.store import Store
from voxgrad.text.dictionary import package_file
from voxgrad.voice.load import find_vocoder

ROOT = Path(__file__).parent.parent.parent
BASE = "base/english"


def copy_package(place: Path) -> None:
    """Everything but weights."""
    shutil.copytree(
        ROOT / "voxgrad", place / "voxgrad", ignore=shutil.ignore_patterns("__pycache__", "pretrained")
    )
    shutil.copytree(ROOT / "presets", place / "presets")
    for name in ("README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, place / name)
    # g2p-en itself would bring 20 MB of packages that are not used.
    carried = place / "voxgrad" / "_packages" / "g2p_en"
    carried.mkdir(parents=True)
    shutil.copy(package_file("g2p_en", "checkpoint20.npz"), carried)
    shutil.copy(Path(__file__).with_name("voxgrad-say.toml"), place / "pyproject.toml")


def add_graph(place: Path, home: Path, steps: int) -> str:
    """The base's graph as an artifact that comes with the package; says what became of it."""
    store = Store.open(home)
    base = store.find(BASE)
    try:
        vocoder = find_vocoder(store, None, base, ignore)
        graph = graph_of(store, base, vocoder, OnnxSpec(steps=steps, quantize="int8"), ignore)
    except BadInputError as error:
        return f"without a voice: {error.message}"
    target = place / "voxgrad" / "pretrained" / KIND / graph.name / f"v{graph.version}"
    shutil.copytree(graph.directory, target)
    for path in target.rglob("*"):
        path.chmod(0o644)
    return f"with {graph.ref}, {graph.size / 1e6:.1f} MB"


def main() -> None:
    """Builds it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dist", type=Path)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument(
        "--home", type=Path, help="a store with another vocoder; default: what comes with voxgrad"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="voxgrad-say-") as folder:
        place = Path(folder) / "source"
        place.mkdir()
        home = Path(folder) / "home" if given.home is None else given.home
        copy_package(place)
        print(f"voxgrad-say, {add_graph(place, home, given.steps)}")
        command = [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--outdir",
            str(given.dist.resolve()),
            str(place),
        ]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
