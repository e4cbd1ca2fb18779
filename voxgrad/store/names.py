"""Kinds, names and references: how artifacts are called, and what is refused."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

from voxgrad.errors import BadInputError

KINDS = ("base", "vocoder", "dataset", "voice", "speech", "evaluation", "card")

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
