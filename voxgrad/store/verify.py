"""Verifying: every byte against the manifests. Nothing is ever repaired here."""

from collections.abc import Iterable
from dataclasses import dataclass

from voxgrad.errors import VoxgradError
from voxgrad.events import Advanced, Began, Emit, Ended
from voxgrad.store.artifact import Artifact, Damaged
from voxgrad.store.lineage import Found, Lineage


@dataclass(frozen=True, slots=True)
class Finding:
    """An artifact that is not what was published."""

    artifact: Found
    problems: tuple[VoxgradError, ...]
    dependents: tuple[Artifact, ...]
    """Everything that was made from it."""


def verify(lineage: Lineage, chosen: Iterable[Found], *, full: bool, emit: Emit) -> tuple[Finding, ...]:
    """Look for damage.

    Args:
        lineage: of the whole store.
        chosen: what to look at.
        full: read every byte; otherwise the manifests and their digests are read, and sizes of files compared.
        emit: told of progress.

    Returns:
        What is damaged; nothing where all is whole.
    """
    artifacts = tuple(chosen)
    findings = []
    emit(Began("verify", len(artifacts), "artifacts"))
    for number, one in enumerate(artifacts, 1):
        problems = (one.error,) if isinstance(one, Damaged) else tuple(one.problems(full=full))
        if problems:
            findings.append(Finding(one, problems, lineage.descendants(one)))
        emit(Advanced("verify", number, str(one)))
    emit(Ended("verify"))
    return tuple(findings)
