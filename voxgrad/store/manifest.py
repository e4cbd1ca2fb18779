"""The manifest: what an artifact is, what it was made from, and the digest of every file in it."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from voxgrad.errors import IntegrityError

SCHEMA_VERSION = "1.0"
MANIFEST_FILE = "manifest.json"
DIGEST_FILE = "manifest.sha256"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256, 64 lower-case hex digits."""


class NewerSchemaError(IntegrityError):
    """A newer major version of voxgrad wrote it; this one cannot read it."""


class _Record(BaseModel):
    # What a newer minor schema adds is kept, so that nothing is lost when the record is written again.
    model_config = ConfigDict(frozen=True, extra="allow")


class Parent(_Record):
    """An artifact that another was made from."""

    ref: str
    """``name@vN``, for people."""
    digest: Digest
    """Of its manifest; this is what identifies it."""


class Identified(Protocol):
    """Something with a reference and a digest: an artifact, or a `Parent` that names one."""

    @property
    def ref(self) -> str:
        """``name@vN``."""

    @property
    def digest(self) -> str:
        """Of its manifest."""


class FileEntry(_Record):
    """One payload file."""

    path: str
    """Relative to the artifact, with ``/`` between its parts."""
    size: int = Field(ge=0)
    """Bytes."""
    sha256: Digest

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        pure = PurePosixPath(path)
        if (
            path != str(pure)
            or path in {".", MANIFEST_FILE, DIGEST_FILE}
            or pure.is_absolute()
            or ".." in pure.parts
            or "\\" in path
            or "\0" in path
        ):
            raise ValueError(f"{path!r} is not a plain relative path")
        return path


class Manifest(_Record):
    """Everything that is known about one artifact. It holds no absolute path and no user name."""

    schema_version: str = Field(default=SCHEMA_VERSION, pattern=r"^\d+\.\d+$")
    kind: str
    name: str
    version: int = Field(ge=1)
    created: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
    """UTC, ISO 8601, to the second."""
    tools: dict[str, str]
    """Versions of the programs that made it, ``voxgrad`` and ``python`` among them."""
    fingerprint: Digest
    """See `fingerprint`: equal fingerprints mean that the same work was asked for."""
    parents: dict[str, Parent]
    """By role, such as ``dataset`` or ``base``."""
    settings: dict[str, Any]
    """Resolved in full: no preset is needed to understand them."""
    seed: int | None
    device: str | None
    files: tuple[FileEntry, ...]
    metrics: dict[str, Any]
    consent: str | None
    licence: str | None

    @field_validator("files")
    @classmethod
    def _each_path_once(cls, files: tuple[FileEntry, ...]) -> tuple[FileEntry, ...]:
        if len({entry.path for entry in files}) < len(files):
            raise ValueError("a path is listed twice")
        return files

    def to_bytes(self) -> bytes:
        """What ``manifest.json`` contains: canonical JSON."""
        # Not `mode="json"`, which would quietly write NaN as null and a path as text.
        return canonical_json(self.model_dump())

    @classmethod
    def from_bytes(cls, text: bytes, owner: str) -> Self:
        """Read a ``manifest.json``, whose artifact errors call ``owner``, such as ``voice alice@v1``.

        Raises:
            IntegrityError: it is not a manifest.
            NewerSchemaError: it has a schema of a newer major version.
        """
        try:
            value = json.loads(text)
            check_schema(value["schema_version"], f"The manifest of {owner}")
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            reason = f"{type(error).__name__} while reading it"
        raise IntegrityError(
            f"The manifest of {owner} is damaged ({reason})", "Import a copy of it, or create it again."
        )


def check_schema(version: str, owner: str) -> None:
    """Refuse a schema that this version does not read: another major version; a newer minor one only adds fields.

    Raises:
        NewerSchemaError: the major version is newer than ours.
        IntegrityError: the major version is one that no release wrote.
        ValueError: ``version`` is not a version.
    """
    major, ours = (int(text.partition(".")[0]) for text in (version, SCHEMA_VERSION))
    if major > ours:
        raise NewerSchemaError(
            f"{owner} has schema {version}, which is newer than this version of voxgrad supports", "Upgrade voxgrad."
        )
    if major < ours:
        raise IntegrityError(f"{owner} has schema {version}, which no release wrote", "Import a copy of it.")


def is_digest(text: str) -> bool:
    """Whether it is a SHA-256 in lower-case hex."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def canonical_json(value: Any) -> bytes:
    r"""The one way to write a JSON value: sorted keys, UTF-8, no NaN, a newline at the end.

    >>> canonical_json({"b": 1, "a": "é"}).decode()
    '{\n "a": "é",\n "b": 1\n}\n'

    Raises:
        ValueError: a number is not finite.
        TypeError: something in it is not a JSON value.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)
    return f"{text}\n".encode()


def fingerprint(
    step: str,
    step_version: int,
    settings: Mapping[str, Any],
    parents: Mapping[str, Identified],
    inputs: Mapping[str, Any],
) -> str:
    """Identify a piece of work before it is done: the same fingerprint would give the same artifact.

    Args:
        step: name of the step, such as ``prepare``.
        step_version: raised whenever the step's result changes for the same input.
        settings: resolved settings, as JSON values.
        parents: artifacts by role. Only their digests count, not what they are called.
        inputs: whatever else the result depends on, such as digests of files, as JSON values.

    Returns:
        SHA-256 of their canonical JSON, 64 hex digits.
    """
    work = {
        "step": step,
        "step_version": step_version,
        "settings": dict(settings),
        "parents": {role: parent.digest for role, parent in parents.items()},
        "inputs": dict(inputs),
    }
    return hashlib.sha256(canonical_json(work)).hexdigest()
