"""Uploaded recordings: files and zips, none of which is trusted."""

import asyncio
import re
import shutil
import zipfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import Final
from uuid import uuid4

from voxgrad.errors import BadInputError
from voxgrad.files import explain_os_errors
from voxgrad.server.http import HTTPError
from voxgrad.server.settings import Limits
from voxgrad.transcripts.recordings import is_sound

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. ()-]{0,120}")
_TEXTS: Final = frozenset({".txt", ".lab", ".csv", ".jsonl", ".list", ".psv"})
_WAVS: Final = "wavs"
_BLOCK: Final = 1 << 20
_ROOM: Final = 200 << 20  # bytes of the disk that uploads leave free
_DAMAGE: Final = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error)


async def store(path: Path, content: AsyncIterator[bytes]) -> None:
    """Write a body to a file while it arrives.

    Raises:
        EnvironmentFailureError: the disk is full or cannot be written.
        HTTPError: as the body does; the caller removes the file.
    """
    with explain_os_errors("keep an upload"), path.open("xb") as file:
        async for block in content:
            await asyncio.to_thread(file.write, block)


def listed(directory: Path) -> list[str]:
    """Names of the recordings and texts of a session."""
    paths = (*directory.iterdir(), *(directory / _WAVS).iterdir())
    return sorted(path.name for path in paths if path.is_file() and _target(directory, path.name) == path)


async def take(directory: Path, name: str, content: AsyncIterator[bytes], limits: Limits) -> None:
    """Store an uploaded file in a session's folder: a recording, a text, a list, or a zip of these.

    Only the last part of a name counts, and it is made of letters, digits and a few marks.

    Raises:
        BadInputError: files of this kind are not accepted, or the zip is damaged or too large.
        HTTPError: the body is too large, or stopped; 507, the disk is nearly full.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    zipped = name.lower().endswith(".zip")
    target = None if zipped else _target(directory, name)
    if target is None and not zipped:
        raise BadInputError(
            f"{PurePosixPath(name).name[:80]!r} is not a recording, text, list or zip",
            "Name it with plain letters, and an ending such as .wav, .flac, .txt, .csv or .zip.",
        )
    _check_room(directory)
    incoming = directory / f"{uuid4().hex}.upload"
    try:
        await store(incoming, content)
        if target is None:
            await asyncio.to_thread(_unpack, directory, incoming, limits)
        else:
            incoming.replace(target)
    finally:
        incoming.unlink(missing_ok=True)


def _target(directory: Path, name: str) -> Path | None:
    """Where a file of this name goes; None for a kind that is not accepted."""
    last = name.replace("\\", "/").rpartition("/")[2]
    ending = PurePosixPath(last).suffix.lower()
    if _NAME.fullmatch(last) is None:
        return None
    if is_sound(last) or (ending in {".txt", ".lab"} and not last.lower().startswith("metadata")):
        return directory / _WAVS / last
    return directory / last if ending in _TEXTS else None


def _unpack(directory: Path, archive: Path, limits: Limits) -> None:
    """All of a zip that is taken, or nothing of it."""
    staged = directory / f"{uuid4().hex}.unpacked"
    try:
        with explain_os_errors("unpack a zip"), zipfile.ZipFile(archive) as opened:
            members = _members(directory, opened, limits)
            _check_room(directory, sum(member.file_size for member in members.values()))
            staged.mkdir()
            for number, member in enumerate(members.values()):
                with opened.open(member) as source, (staged / str(number)).open("xb") as file:
                    # A header can lie about the size; reading stops where it said.
                    shutil.copyfileobj(source, file, _BLOCK)
            for number, target in enumerate(members):
                (staged / str(number)).replace(target)
    except _DAMAGE as error:
        raise BadInputError("the zip is damaged or encrypted", "Pack it again, without a password.") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _members(directory: Path, opened: zipfile.ZipFile, limits: Limits) -> dict[Path, zipfile.ZipInfo]:
    """What of a zip is taken, by where it goes."""
    infos = opened.infolist()
    if len(infos) > limits.upload_files:
        raise BadInputError(
            f"the zip contains {len(infos)} files, but at most {limits.upload_files} are allowed", "Pack fewer."
        )
    members: dict[Path, zipfile.ZipInfo] = {}
    for info in infos:
        target = None if info.is_dir() or "__MACOSX" in info.filename else _target(directory, info.filename)
        if target in members:
            raise BadInputError(f"the zip contains {target.name} twice", "Give every file its own name.")
        if target is not None:
            members[target] = info
    if not members:
        raise BadInputError("the zip contains no recordings", "Pack .wav files with a metadata.csv or .txt files.")
    if sum(info.file_size for info in members.values()) > limits.upload_bytes:
        raise BadInputError(
            f"the zip unpacks to more than {limits.upload_bytes / 2**30:.0f} GiB", "Upload it in parts."
        )
    return members


def _check_room(directory: Path, needed: int = 0) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed + _ROOM:
        message = f"The disk has {free / 1e6:.0f} MB left, which is too little: free some space."
        raise HTTPError(507, message, code="disk_full")
