"""A folder of recordings, and the one among them that a transcript means."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from voxgrad.unicode import composed

SOUND: Final = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64"}
)
"""Endings of audio files that can be read out of the box, and"""
OTHER_SOUND: Final = frozenset(
    {".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".mov", ".amr", ".ac3", ".3gp"}
)
"""where ffmpeg is installed."""

_WAVS = ("wavs", "wav", "clips", "audio", "wav48", "wav48_silence_trimmed")
"""Names of folders that hold nothing but recordings, and are left out where recordings are named."""


def is_sound(name: str) -> bool:
    """Whether a name ends as an audio file's."""
    return PurePosixPath(name).suffix.lower() in SOUND | OTHER_SOUND


@dataclass(frozen=True)
class Folder:
    """A folder and all that lies in it.

    Attributes:
        path: absolute.
    """

    path: Path

    @cached_property
    def files(self) -> list[PurePosixPath]:
        """All files, relative to the folder, sorted; folders that are links are not entered."""
        found = []
        for place, folders, names in os.walk(self.path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            here = Path(place).relative_to(self.path)
            found += [PurePosixPath(here, name) for name in names if not name.startswith(".")]
        return sorted(found)

    @cached_property
    def recordings(self) -> list[PurePosixPath]:
        """The audio files among them."""
        return [file for file in self.files if is_sound(file.name)]

    @cached_property
    def _by_stem(self) -> dict[str, list[PurePosixPath]]:
        found = defaultdict(list)
        for file in self.recordings:
            found[_folded(file.stem)].append(file)
        return found

    def called(self, stem: str) -> list[PurePosixPath]:
        """The recordings of a name, without its ending."""
        return self._by_stem.get(_folded(stem), [])

    def find(self, name: str, base: str = "") -> "Match | str":
        """The recording that a transcript means, never one outside the folder; or why there is none.

        What the path as it is written does not find is looked for by the last parts of the path: lists are often
        made on another machine, or beside another folder.

        Args:
            name: a path or an id without ending, as the transcript gives it.
            base: the folder that it is relative to, within this one.
        """
        written = name.replace("\\", "/")
        try:
            there = [path for path in self._candidates(written, base) if path.is_file()]
            inside = [path for path in there if path.resolve().is_relative_to(self.path)]
        except (OSError, ValueError):  # no file can be called that: the columns may be swapped
            return f"there is no recording {name} in the folder"
        if inside:
            return Match(inside[0], _plain(self.path, written, base))
        if there:
            way = "is a link that" if there[0].is_symlink() else "is a path that"
            return f"{name} {way} leads out of the folder"
        return self._by_last_parts(name, written, base)

    def _candidates(self, name: str, base: str) -> Iterator[Path]:
        places = [PurePosixPath(base, sub) for sub in (*_WAVS, ".")]
        if is_sound(name):
            yield from (self.path / place / name for place in reversed(places))
            return
        wanted = {place / os.path.normpath(name): rank for rank, place in enumerate(places)}
        listed = self.called(PurePosixPath(name).name)
        ranked = [(wanted[_without_ending(file)], file) for file in listed if _without_ending(file) in wanted]
        yield from (self.path / file for _, file in sorted(ranked))
        if ".." in PurePosixPath(name).parts or Path(name).is_absolute():
            endings = sorted(SOUND) + sorted(OTHER_SOUND)
            yield from (self.path / base / f"{name}{ending}" for ending in endings)

    def _by_last_parts(self, name: str, written: str, base: str) -> "Match | str":
        wanted = PurePosixPath(written)
        stem = wanted.stem if is_sound(written) else wanted.name
        alike = {
            file: common
            for file in self.called(stem)
            if file.is_relative_to(base) and (common := self._common(file, wanted)) is not None
        }
        best = [file for file, common in alike.items() if common == max(alike.values())]
        exact = [
            file for file in best if composed(file.name) == composed(wanted.name)
        ]  # x.wav and x.flac may both be there
        best = exact or best
        if not best:
            return f"there is no recording {name} in the folder"
        if len(best) > 1:
            return f"{name} may be {best[0]} or {best[1]}"
        path = self.path / best[0]
        if not path.resolve().is_relative_to(self.path):
            return f"{name} is a link that leads out of the folder"
        kept = best[0].parts[-1 - alike[best[0]] :]
        return Match(path, PurePosixPath(*_without_wavs(kept)).with_suffix(""))

    def _common(self, file: PurePosixPath, wanted: PurePosixPath) -> int | None:
        """How many folders both paths end with; None where a folder of either is another: it may be another speaker's.

        What all recordings have in common, and folders like ``wavs``, tells nothing.
        """
        above = tuple(_folded(part) for part in file.parts[:-1])
        asked = tuple(_folded(part) for part in wanted.parts[:-1])
        count = 0
        for here, there in zip(reversed(above), reversed(asked), strict=False):
            if here != there:
                break
            count += 1
        telling = [part for part in above[self._shared :] if part not in _WAVS]
        return count if count == len(asked) or count >= len(telling) else None

    @cached_property
    def _shared(self) -> int:
        """How many folders all recordings lie in."""
        if not self.recordings:
            return 0
        first, last = (file.parent.parts for file in (min(self.recordings), max(self.recordings)))
        pairs = zip(first, last, strict=False)
        return next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(first), len(last)))


@dataclass(frozen=True, slots=True)
class Match:
    """A recording that was found, and the part of its path, without ending, that names it."""

    path: Path
    name: PurePosixPath


def _folded(name: str) -> str:
    """A name as it is compared: capitals and Unicode forms do not count."""
    return composed(name).casefold()


def _without_wavs(parts: tuple[str, ...]) -> tuple[str, ...]:
    return parts[1:] if len(parts) > 1 and parts[0] in _WAVS else parts


def _without_ending(file: PurePosixPath) -> PurePosixPath:
    return file.parent / file.stem


def _plain(folder: Path, name: str, base: str) -> PurePosixPath:
    within = os.path.relpath(name, folder) if Path(name).is_absolute() else os.path.normpath(name)
    plain = PurePosixPath(base, within)
    return plain.with_suffix("") if is_sound(name) else plain


def clip_name(name: PurePosixPath) -> str:
    """A clip's name: the parts of a relative path joined by ``-``, composed, bytes that are no UTF-8 replaced."""
    joined = composed("-".join(part for part in name.parts if part != ".."))
    return joined.encode("utf-8", "replace").decode()
