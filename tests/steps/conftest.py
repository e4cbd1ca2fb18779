"""Two speakers, and a base that knows both; and vocoders without weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from voxgrad.cli.main import main
from voxgrad.settings import MelSpec
from voxgrad.store import Artifact, Store, fingerprint
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec
from voxgrad.vocoder.registry import save

TEXTS = ("The sun is warm.", "Rain fell all day.", "Two dogs ran home.", "She reads a book.")


@dataclass(frozen=True)
class Duet:
    """A home with a dataset and a base of two speakers. For reading only."""

    home: Path
    dataset: Artifact
    base: Artifact


@pytest.fixture(scope="session")
def duet(tmp_path_factory: pytest.TempPathFactory, record, steps) -> Duet:
    place = tmp_path_factory.mktemp("duet")
    lines = []
    for speaker, f0, count in (("ann", 210.0, 4), ("bob", 110.0, 3)):
        texts = {f"{speaker}{number}.wav": text for number, text in enumerate(TEXTS[:count])}
        record(place / "duet", texts, f0)
        lines += [f"{name}|{text}|{speaker}" for name, text in texts.items()]
    (place / "duet" / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    home = place / "home"
    for command in (
        ["prepare", str(place / "duet"), "--base", "none", "--no-consent-needed", "synthetic"],
        ["pretrain", "--data", "duet", *steps, "--set", "stages.0.steps=2", "--set", "stages.1.steps=1"],
    ):
        assert main([*command, "--home", str(home), "-q"]) == 0
    store = Store.open(home)
    return Duet(home, store.find("duet", "dataset"), store.find("duet", "base"))


@pytest.fixture
def add_vocoder(command) -> Callable[[str, MelSpec], None]:
    """A function that adds a vocoder to the home that ``command`` works in."""

    def add(name: str, mel: MelSpec) -> None:
        with Store.open().stage("vocoder", name) as staged:
            save(GriffinLim(GriffinLimSpec(n_iter=2), mel), staged.directory)
            staged.publish(fingerprint=fingerprint("test", 1, {"name": name}, {}, {}), settings={})

    return add
