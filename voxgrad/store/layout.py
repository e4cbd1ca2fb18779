"""Where artifacts lie. The directories are the only record: no index that could disagree with them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voxgrad.store.names import is_name

_VERSION = re.compile(r"v(?P<number>[1-9]\d{0,8})(?P<removed>\.removed)?")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place where an artifact lies, before anything in it is believed."""

    kind: str
    name: str
    version: int
    directory: Path
    embedded: bool
    """It came with the package, and is not the user's own."""

    @property
    def ref(self) -> str:
        """``name@vN``."""
        return f"{self.name}@v{self.version}"

    def __str__(self) -> str:
        """What errors call it, such as ``voice alice@v1``."""
        return f"{self.kind} {self.ref}"


@dataclass(frozen=True, slots=True)
class Layout:
    """``<root>/<kind>/<name>/v<N>`` under the user's own root and the package's."""

    own: Path
    embedded: Path | None

    def shelf(self, kind: str, name: str) -> Path:
        """The user's directory that holds the versions of one artifact."""
        return self.own / kind / name

    def names(self, kind: str) -> list[str]:
        """Names in use, sorted."""
        return sorted(
            {path.name for root in self._roots() for path in entries(root / kind) if is_name(path.name)}
        )

    def slots(self, kind: str, name: str) -> list[Slot]:
        """Versions that are there, oldest first, the package's before the user's own."""
        found = [
            Slot(kind, name, number, root / kind / name / f"v{number}", embedded=root == self.embedded)
            for root in self._roots()
            for number, removed in _versions(root / kind / name)
            if not removed and is_name(name)
        ]
        return sorted(found, key=lambda slot: (not slot.embedded, slot.version))

    def next_version(self, kind: str, name: str) -> int:
        """A number that was never used, not even by something that is removed now."""
        used = [number for root in self._roots() for number, _ in _versions(root / kind / name)]
        return max(used, default=0) + 1

    def tombstone(self, kind: str, name: str, version: int) -> Path:
        """The mark that a removed artifact leaves: its number is never given to another."""
        return self.shelf(kind, name) / f"v{version}.removed"

    def is_free(self, kind: str, name: str, version: int, digest: str) -> bool:
        """Whether an artifact from elsewhere can keep its number: nothing, or only itself, ever had it here."""
        if all(number != version for root in self._roots() for number, _ in _versions(root / kind / name)):
            return True
        try:
            return digest.encode() in self.tombstone(kind, name, version).read_bytes().split()
        except FileNotFoundError:
            return False

    def _roots(self) -> tuple[Path, ...]:
        return (self.own,) if self.embedded is None else (self.own, self.embedded)


def _versions(shelf: Path) -> Iterator[tuple[int, bool]]:
    """Numbers on a shelf, and whether each is only the mark that a removed one left."""
    for path in entries(shelf):
        parts = _VERSION.fullmatch(path.name)
        if parts is not None:
            yield int(parts["number"]), parts["removed"] is not None


def entries(directory: Path) -> list[Path]:
    """What lies in a directory; nothing where there is none."""
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
