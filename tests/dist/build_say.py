"""Build the wheel `voxgrad-say`: the same package, whose base and vocoder have weights of 8 bits.

Usage: build_say.py DIST. Needs all of voxgrad.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from voxgrad.events import ignore
from voxgrad.packing import WEIGHTS, Packed, Weights, worth_packing
from voxgrad.store import Artifact, Store
from voxgrad.store.manifest import fingerprint
from voxgrad.text.dictionary import package_file
from voxgrad.voice.load import find_vocoder

ROOT = Path(__file__).parent.parent.parent


def copy_package(place: Path) -> None:
    """Everything but weights."""
    def left_out(folder: str, names: list[str]) -> set[str]:
        return {"__pycache__"} | ({"base", "vocoder"} if Path(folder).name == "pretrained" else set())

    shutil.copytree(ROOT / "voxgrad", place / "voxgrad", ignore=left_out)
    shutil.copytree(ROOT / "presets", place / "presets")
    for name in ("README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, place / name)
    # g2p-en itself would bring 20 MB of packages that are not used.
    carried = place / "voxgrad" / "_packages" / "g2p_en"
    carried.mkdir(parents=True)
    shutil.copy(package_file("g2p_en", "checkpoint20.npz"), carried)
    shutil.copy(Path(__file__).with_name("voxgrad-say.toml"), place / "pyproject.toml")


def add_weights(place: Path, store: Store, source: Artifact) -> str:
    """The weights of an artifact in 8 bits, under the same name and version; says how large they are."""
    files = Weights(source.path(WEIGHTS))
    tensors: dict[str, np.ndarray] = {}
    for name, values in files.items():
        if isinstance(values, Packed) or worth_packing(values.shape):
            tensors |= Packed.of(files.floats(name), low=False).parts(name)
        else:
            tensors[name] = values
    manifest = source.manifest
    with store.stage(source.kind, source.name) as staged:
        for file in manifest.files:
            if file.path != WEIGHTS:
                shutil.copy(source.path(file.path), staged.directory / file.path)
        save_file(tensors, staged.directory / WEIGHTS)
        small = staged.publish(
            fingerprint=fingerprint("8 bits", 1, {}, {"source": source}, {}),
            parents={**manifest.parents, "source": source},
            settings=manifest.settings,
            seed=manifest.seed,
            device=manifest.device,
            metrics=manifest.metrics,
            consent=manifest.consent,
            licence=manifest.licence,
        )
    target = place / "voxgrad" / "pretrained" / source.kind / source.name / f"v{small.version}"
    shutil.copytree(small.directory, target)
    for path in target.rglob("*"):
        path.chmod(0o644)
    return f"{small}, {small.size / 1e6:.1f} MB"


def main() -> None:
    """Builds it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dist", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="voxgrad-say-") as folder:
        place = Path(folder) / "source"
        place.mkdir()
        copy_package(place)
        store = Store.open(Path(folder) / "home")
        base = store.find("base/english")
        vocoder = find_vocoder(store, None, base, ignore)
        for artifact in (base, vocoder):
            print(f"voxgrad-say: {add_weights(place, store, artifact)}")
        command = (sys.executable, "-m", "build", "--wheel", "--outdir", given.dist.resolve(), place)
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
