"""Names, references and directories of artifacts. The directories are the only record: no index that could disagree."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Self

from voxgrad.errors import BadInputError

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

    def versions_directory(self, kind: str, name: str) -> Path:
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
        return self.versions_directory(kind, name) / f"v{version}.removed"

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


def _versions(versions: Path) -> Iterator[tuple[int, bool]]:
    """Version numbers in a directory, and whether each is only the mark that a removed one left."""
    for path in entries(versions):
        parts = _VERSION.fullmatch(path.name)
        if parts is not None:
            yield int(parts["number"]), parts["removed"] is not None


def entries(directory: Path) -> list[Path]:
    """What lies in a directory; nothing where there is none."""
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


KINDS = ("base", "vocoder", "dataset", "voice", "speech", "evaluation", "card", "onnx")

_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]{0,63}")
_REFERENCE = re.compile(r"(?:(?P<kind>[^/@]+)/)?(?P<name>[^/@]+)(?:@(?:latest|v(?P<version>[1-9]\d{0,8})))?")
_DIGEST = re.compile(r"@sha256:(?P<digest>[0-9a-f]{4,64})")


def is_name(text: str) -> bool:
    """Whether an artifact can be called this."""
    return _NAME.fullmatch(text) is not None


def check_name(text: str, what: str = "name") -> str:
    """Return ``text`` if an artifact can be called this.

    Raises:
        BadInputError: it has other characters, or is too long; the hint proposes one that will do.
    """
    if not is_name(text):
        raise BadInputError(
            f"{text!r} cannot be a {what}",
            "Use 1 to 64 of a-z, 0-9, '-', '_' and '.', not beginning with '-' or '.', "
            f"for example {plain_name(text)!r}.",
        )
    return text


def plain_name(text: str) -> str:
    """The nearest thing to ``text`` that is a name; where nothing is left of it, ``unnamed``.

    >>> plain_name("LJSpeech 1.1")
    'ljspeech-1.1'
    >>> plain_name("../../é")
    'unnamed'
    """
    kept = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip(".-")[:64]
    return kept if is_name(kept) else "unnamed"


def check_kind(text: str) -> str:
    """Return ``text`` if it is one of `KINDS`.

    Raises:
        BadInputError: it is not; the hint names the nearest.
    """
    if text not in KINDS:
        near = get_close_matches(text, KINDS, n=1, cutoff=0.5)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise BadInputError(f"{text!r} is no kind of artifact", f"{meant}Choose one of {', '.join(KINDS)}.")
    return text


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference: either a digest, or a name with what narrows it."""

    name: str | None = None
    kind: str | None = None
    version: int | None = None
    """None: the latest."""
    digest: str | None = None
    """The first hex digits of a manifest's SHA-256."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``alice``, ``alice@v3``, ``alice@latest``, ``voice/alice@v3`` or ``@sha256:1f2e…``.

        Raises:
            BadInputError: it is none of these.
        """
        by_digest = _DIGEST.fullmatch(text)
        if by_digest is not None:
            return cls(digest=by_digest["digest"])
        parts = _REFERENCE.fullmatch(text)
        if parts is None:
            raise BadInputError(
                f"{text!r} is not a reference",
                "Write it like alice, alice@v3, voice/alice@v3 or @sha256:1f2e3d.",
            )
        kind, version = parts["kind"], parts["version"]
        return cls(
            name=parts["name"],
            kind=check_kind(kind) if kind is not None else None,
            version=int(version) if version is not None else None,
        )
