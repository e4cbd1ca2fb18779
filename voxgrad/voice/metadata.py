"""The metadata of an audio file: that it is synthetic, and the recipe to reproduce it."""

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from voxgrad.audio.writers import read_comment
from voxgrad.errors import BadInputError, IntegrityError, VoxgradError
from voxgrad.store import Artifact

MARK: Final = "synthetic speech"
"""What every remark begins with; all of it where no more shall be said."""


class _Record(BaseModel):
    # What a newer version adds is no reason not to read the rest.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Source(_Record):
    """An artifact that spoke."""

    kind: str
    ref: str
    """``name@vN``, for people."""
    digest: str
    """Of its manifest."""

    @classmethod
    def of(cls, artifact: Artifact) -> "Source":
        """How a recipe names an artifact."""
        return cls(kind=artifact.kind, ref=artifact.ref, digest=artifact.digest)


class CastMember(_Record):
    """A voice that a script calls by name; its fields are as in `Recipe`."""

    voice: Source
    vocoder: Source | None
    speaker: str | None
    lexicon: str | None
    consent: str | None = None
    licence: str | None = None
    graph: Source | None = None


class Recording(_Record):
    """A recording that was converted."""

    file: str
    """Its name, without folders, which are private."""
    sha256: str
    """Of the file."""
    conversion: dict[str, Any]
    """What is kept of it; see :class:`voxgrad.settings.ConversionSpec`."""


class Recipe(_Record):
    """How an audio file was made."""

    voxgrad: str
    """The version that made it."""
    text: str | None
    """None where it was not known when the audio began: lines that were still to come."""
    seed: int
    voice: Source
    vocoder: Source | None
    """None: Griffin-Lim."""
    synthesis: dict[str, Any]
    delivery: dict[str, Any]
    lexicon: str | None
    """SHA-256 of the user's pronunciations, if there were any."""
    threads: int
    """Of the processor: sums of other numbers of threads round otherwise."""
    engine: Literal["torch", "onnx"] = "torch"
    """What computed."""
    quantize: str | None = None
    """Of the graph, where ONNX Runtime computed: see :class:`voxgrad.settings.OnnxSpec`."""
    graph: Source | None = None
    """The exported ONNX graph that spoke, which was made from voice and vocoder."""
    consent: str | None
    """The statement of the person whose voice it is, as the voice's manifest has it."""
    licence: str | None
    cast: dict[str, CastMember] = {}
    """The voices that SSML or a dialogue names."""
    sounds: dict[str, str] = {}
    """SHA-256 of every file that it plays."""
    recording: Recording | None = None
    """What was converted, where it was not spoken from the text alone."""

    @property
    def heard(self) -> dict[str, Any]:
        """What is heard beside the voice, as a fingerprint has it; nothing where there is nothing."""
        return {name: value for name, value in self.model_dump(include={"cast", "sounds"}).items() if value}

    @property
    def remark(self) -> str:
        """The recipe as an audio file carries it: the mark, then JSON in ASCII."""
        content = self.model_dump()
        # What most files lack is left out, as it was before there was any of it.
        for name in ("cast", "sounds", "recording", "graph"):
            if not content[name]:
                del content[name]
        return f"{MARK} {json.dumps(content, separators=(',', ':'), allow_nan=False)}"


def read_recipe(remark: str, owner: str) -> Recipe | None:
    """Find the recipe in the remark of an audio file, which errors call ``owner``; None where there is only the mark.

    Raises:
        BadInputError: the remark is not ours.
        IntegrityError: it is ours, and damaged.
    """
    if not remark.startswith(MARK):
        raise BadInputError(f"{owner} has no voxgrad metadata", "Give a file that `voxgrad say` wrote.")
    content = remark.removeprefix(MARK).strip()
    if not content:
        return None
    try:
        return Recipe.model_validate_json(content)
    except ValidationError as error:
        raise IntegrityError(f"the recipe in {owner} is damaged", "Use the original file.") from error


def recipe_of(target: Path) -> Recipe | None:
    """The recipe in an audio file; None where there is no such file, or it is none of ours."""
    try:
        return read_recipe(read_comment(target), str(target)) if target.is_file() else None
    except VoxgradError:
        return None
