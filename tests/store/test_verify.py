"""Verification finds every damage and mends none."""

import os
import random
from pathlib import Path

import pytest

from voxgrad.events import ignore
from voxgrad.store import Lineage, Store
from voxgrad.store.maintenance import Finding, verify

LONG = bool(os.environ.get("VOXGRAD_LONG"))


def findings(store: Store, *, full: bool = True) -> tuple[Finding, ...]:
    lineage = Lineage(store)
    return verify(lineage, lineage.everything, full=full, emit=ignore)


def test_what_depends_on_damage_is_named(store: Store, family, contents, overwrite):
    overwrite(family.base.directory / "model.bin", b"weighty")
    before = contents(store.home)
    (found,) = findings(store)
    assert str(found.artifact) == "base narrator@v1"
    assert [problem.message for problem in found.problems] == [
        "The file model.bin of base narrator@v1 has changed since it was published"
    ]
    made = [str(one) for one in found.dependents]
    assert made[0] == "voice alice@v1"
    assert sorted(made[1:]) == ["speech alice@v1", "speech alice@v2"]
    assert contents(store.home) == before
    assert findings(store, full=False) == ()  # of the same size


def replaced_by_link(path: Path) -> None:
    copy = path.parent.parent.parent / "copy"
    copy.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(copy)


def replaced_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replaced_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        replaced_by_link,
        replaced_by_pipe,
        replaced_by_directory,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
        lambda path: (path.parent / "stranger").touch(),
    ],
)
def test_what_sizes_and_names_tell_is_found_quickly(store: Store, publish, damage):
    path = publish().directory / "model.bin"
    path.chmod(0o644)
    damage(path)
    assert len(findings(store, full=False)) == 1


@pytest.mark.parametrize("times", [1000 if LONG else 60])
def test_every_flipped_bit_is_found(store: Store, family, times: int, overwrite):
    """Payloads, manifests and digests alike: 100 % with --full."""
    chance = random.Random(9)
    files = sorted(path for path in (store.home / "artifacts").rglob("*") if path.is_file())
    assert {path.name for path in files} == {"manifest.json", "manifest.sha256", "model.bin", "loss.png"}
    missed = []
    for number in range(times):
        path = files[number % len(files)]
        content = path.read_bytes()
        bit = chance.randrange(8 * len(content))
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        overwrite(path, bytes(flipped))
        found = findings(store)
        if len(found) != 1 or not path.is_relative_to(found[0].artifact.directory):
            missed.append((path, bit))
        overwrite(path, content)
    assert missed == []
    assert findings(store) == ()
