"""Check what `make dist` has built: a complete wheel, installed in a clean environment, speaks.

Usage: check_dist.py DIST [--borrow-dependencies]. The environment lies outside the checkout and is deleted in the end.
With --borrow-dependencies, it sees the packages of the Python that runs this instead of downloading them again.
"""

import argparse
import email
import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
import wave
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FIELDS = ("Name", "Version", "Summary", "Requires-Python", "License-Expression", "License-File", "Classifier")
ENTRY_POINT = "voxgrad = voxgrad.cli.main:run"
USES = """
import voxgrad
from voxgrad.pictures import template
from voxgrad.presets import load_prepare_preset, load_preset, load_settings, preset_names
from voxgrad.settings import VocoderPreset
from pathlib import Path
assert {"fast", "tiny"} <= set(preset_names())
load_preset("fast"), load_prepare_preset("prepare"), load_settings(VocoderPreset, "vocoder")
here = Path(voxgrad.__file__).parent
template(here / "preparation", "report.jinja"), template(here / "evaluation", "card.jinja")
print(here)
"""


def sources() -> set[str]:
    """What a wheel must hold: every file of the package, and the presets."""
    files = (path for path in (ROOT / "voxgrad").rglob("*") if path.is_file())
    package = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    return package | {f"voxgrad/_presets/{path.name}" for path in (ROOT / "presets").glob("*.yaml")}


def check_wheel(path: Path) -> None:
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(wheel.read(about))
        entry_points = wheel.read(about.replace("METADATA", "entry_points.txt")).decode()
    held = {name for name in names if not name.startswith(about.partition("/")[0])}
    assert held == sources(), f"the wheel differs from the sources by {sorted(held ^ sources())}"
    missing = [field for field in FIELDS if field not in metadata]
    assert not missing, f"the wheel's metadata lacks {missing}"
    assert ENTRY_POINT in entry_points, f"the wheel installs no command: {entry_points}"


def check_small(path: Path) -> None:
    """The small distribution has the same code, weights of 8 bits, and no torch."""
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(wheel.read(about))
    code = {name for name in sources() if name.endswith(".py")}
    assert code <= names, f"the small wheel lacks {sorted(code - names)}"
    weights = {"/".join(name.split("/")[2:4]) for name in names if name.endswith("weights.safetensors")}
    assert weights == {"base/english", "vocoder/english"}, f"the small wheel holds the weights of {weights}"
    assert path.stat().st_size < 40e6, f"the small wheel has {path.stat().st_size / 1e6:.0f} MB"
    assert not any(need.startswith("torch") for need in metadata.get_all("Requires-Dist", []))


def check_sdist(path: Path) -> None:
    with tarfile.open(path) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    presets = {f"presets/{path.name}" for path in (ROOT / "presets").glob("*.yaml")}
    package = {name for name in sources() if not name.startswith("voxgrad/_presets/")}
    wanted = package | presets | {"LICENSE", "README.md", "Makefile", "pyproject.toml", "tests/conftest.py"}
    assert wanted <= names, f"the source distribution lacks {sorted(wanted - names)}"


def install(wheel: Path, place: Path, *, borrow: bool) -> Path:
    """Make an environment with the wheel in it; returns where its commands lie."""
    venv.create(place, with_pip=True)
    commands = place / ("Scripts" if os.name == "nt" else "bin")
    pip = [commands / "python", "-m", "pip", "install", "--quiet", wheel]
    if borrow:
        paths = {"base": str(place), "platbase": str(place)}
        packages = Path(sysconfig.get_path("purelib", "venv", paths))
        # The packages of that directory are seen, but not what it installs from elsewhere, such as this checkout.
        (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        pip.append("--no-deps")
    subprocess.run(pip, check=True)
    return commands


def check_installed(commands: Path, place: Path) -> None:
    """The installed command speaks, and nothing of the checkout is used."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VOXGRAD"))}
    how = {"cwd": place, "env": {**kept, "HOME": str(place), "VOXGRAD_HOME": str(place / "home")}}
    told = subprocess.run(
        [commands / "python", "-c", USES], check=True, stdout=subprocess.PIPE, text=True, **how
    )
    assert Path(told.stdout.strip()).is_relative_to(commands.parent), f"not installed: {told.stdout}"
    subprocess.run([commands / "voxgrad", "--version"], check=True, **how)
    subprocess.run([commands / "voxgrad", "say", "hello", "-o", "hello.wav"], check=True, **how)
    with wave.open(str(place / "hello.wav")) as audio:
        seconds = audio.getnframes() / audio.getframerate()
        loudest = max(audio.readframes(audio.getnframes()))
    assert 0.2 < seconds < 5, f"hello.wav lasts {seconds} s"
    assert loudest > 0, "hello.wav is silent"
    print(f"installed and spoken: hello.wav, {seconds:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("dist", type=Path)
    parser.add_argument("--borrow-dependencies", action="store_true")
    given = parser.parse_args()
    (wheel,), (sdist,) = given.dist.glob("voxgrad-*.whl"), given.dist.glob("*.tar.gz")
    (small,) = given.dist.glob("voxgrad_say-*.whl")
    for path in (wheel, small, sdist):
        print(f"{path.stat().st_size / 1e6:6.2f} MB  {path}")
    check_wheel(wheel)
    check_small(small)
    check_sdist(sdist)
    with tempfile.TemporaryDirectory(prefix="voxgrad-dist-") as folder:
        place = Path(folder).resolve()
        commands = install(wheel.resolve(), place / "environment", borrow=given.borrow_dependencies)
        check_installed(commands, place)


if __name__ == "__main__":
    sys.exit(main())
