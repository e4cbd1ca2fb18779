"""Versioned, immutable artifact directories and the manifests that describe them."""

from voxgrad.store.artifact import KINDS, Artifact, DamagedArtifact, StoreEntry, check_name, plain_name
from voxgrad.store.manifest import FileEntry, Manifest, Parent, canonical_json, fingerprint
from voxgrad.store.publish import StagedArtifact
from voxgrad.store.store import Lineage, Store

__all__ = [
    "KINDS",
    "Artifact",
    "DamagedArtifact",
    "FileEntry",
    "Lineage",
    "Manifest",
    "Parent",
    "StagedArtifact",
    "Store",
    "StoreEntry",
    "canonical_json",
    "check_name",
    "fingerprint",
    "plain_name",
]
