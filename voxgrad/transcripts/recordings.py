"""A folder of recordings, and the lookup of a recording by the name in a transcript."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Final

from voxgrad.unicode import composed

SOUND: Final = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64"})
"""Endings of audio files that can be read out of the box, and"""
OTHER_SOUND: Final = frozenset({".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".mov", ".amr", ".ac3", ".3gp"})
"""where ffmpeg is installed."""

_WAVS = ("wavs", "wav", "clips", "audio", "wav48", "wav48_silence_trimmed")
"""Names of folders that hold nothing but recordings, and are left out where recordings are named."""


def is_sound(name: str) -> bool:
    """Whether a name has the extension of an audio file."""
    return PurePosixPath(name).suffix.lower() in SOUND | OTHER_SOUND


@dataclass(frozen=True)
class Folder:
    """A folder, with an absolute path, and its files."""

    path: Path

    @cached_property
    def files(self) -> list[PurePosixPath]:
        """All files, relative to the folder, sorted. Links are followed, but to a folder only the first time.

        A link to a folder that holds this one is not followed.
        """
        found: list[PurePosixPath] = []
        entered = {str(above) for above in Path(os.path.realpath(self.path)).parents}
        links = [(str(self.path), self.path)]  # a folder comes before those in it
        while links:
            for place, folders, names in os.walk(heappop(links)[1]):
                is_new = (real := os.path.realpath(place)) not in entered
                entered.add(real)
                folders[:] = sorted(name for name in folders if is_new and not name.startswith("."))
                for path in (Path(place, name) for name in folders):
                    if path.is_symlink():
                        heappush(links, (os.path.realpath(path), path))
                here = Path(place).relative_to(self.path)
                found += [PurePosixPath(here, name) for name in names if is_new and not name.startswith(".")]
        return sorted(found)

    @cached_property
    def recordings(self) -> list[PurePosixPath]:
        """The audio files among them."""
        return [file for file in self.files if is_sound(file.name)]

    @cached_property
    def _by_stem(self) -> dict[str, list[PurePosixPath]]:
        found = defaultdict(list)
        for file in self.recordings:
            found[folded(file.stem)].append(file)
        return found

    def called(self, stem: str) -> list[PurePosixPath]:
        """The recordings of a name, without its ending."""
        return self._by_stem.get(folded(stem), [])

    def called_as(self, text: PurePosixPath) -> list[PurePosixPath]:
        """The recordings that a text belongs to by its name, ``a.txt`` or ``a.wav.txt``.

        Those beside it come before others; capitals count only where they tell recordings apart.
        """
        label = re.sub(r"(?i)\.en$", "", text.stem)
        alike = [*self.called(label), *(self.called(PurePosixPath(label).stem) if is_sound(label) else ())]
        near = [file for file in alike if file.parent == text.parent] or alike
        same = (
            [file for file in near if form(getattr(file, part)) == form(label)]
            for form in (str, folded)
            for part in ("name", "stem")
        )
        return next(filter(None, same), [])

    def name_of(self, file: PurePosixPath) -> PurePosixPath:
        """What clips are called by: the path, without its ending if no recording beside it differs in that alone."""
        alike = [other for other in self.called(file.stem) if _without_ending(other) == _without_ending(file)]
        return file if len(alike) > 1 else _without_ending(file)

    def missing(self, file: PurePosixPath) -> str:
        """Why a listed file cannot be opened; empty if it can."""
        path = self.path / file
        try:
            if path.is_file():
                return ""
        except OSError as error:
            return f"{file.name} cannot be read ({error.strerror})"
        if path.is_symlink():
            return f"{file.name} is a link to a file that is not there (fetch it with `dvc pull` or `git annex get`)"
        return f"{file.name} is not a file"

    def find(self, name: str, base: str = "") -> tuple[Path, PurePosixPath] | str:
        """The recording that a transcript means by a path or an id without ending, or why there is none.

        ``base`` is the folder that it is relative to, within this one. No path leads out of the folder, but links do.
        What the path as it is written does not find is looked for by its last parts: lists are often made on another
        machine, or beside another folder.
        """
        written = name.replace("\\", "/")
        shown = public_name(name)
        try:
            there = [path for path in dict.fromkeys(self._candidates(written, base)) if path.is_file()]
            inside = [path for path in there if self._holds(path)]
        except (OSError, ValueError):  # no file can be called that: the columns may be swapped
            return f"there is no recording {shown} in the folder"
        if inside:
            alike = [path.name for path in inside if _without_ending(path) == _without_ending(inside[0])]
            if len(alike) > 1:
                return f"{shown} may be {alike[0]} or {alike[1]}: write its ending"
            return self._match(inside[0], _plain(self.path, written, base))
        if there:
            return f"{shown} is a path that points outside the folder"
        return self._by_last_parts(shown, written, base)

    def _holds(self, path: Path) -> bool:
        """Whether a path lies in the folder, whatever a link there leads to."""
        plainly = ".." not in path.parts and path.is_relative_to(self.path)
        return plainly or Path(os.path.realpath(path.parent)).is_relative_to(self.path)

    def _match(self, path: Path, name: PurePosixPath) -> tuple[Path, PurePosixPath]:
        """A recording, called by ``name``; by its ending, too, where another beside it differs in that alone."""
        file = PurePosixPath(os.path.relpath(path, self.path))
        has_twin = self.name_of(file) == file
        return path, name.with_name(f"{name.name}{file.suffix}") if has_twin else name

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

    def _by_last_parts(self, name: str, written: str, base: str) -> tuple[Path, PurePosixPath] | str:
        wanted = PurePosixPath(written)
        stem = wanted.stem if is_sound(written) else wanted.name
        alike = {
            file: common
            for file in self.called(stem)
            if file.is_relative_to(base) and (common := self._common(file, wanted)) is not None
        }
        best = [file for file, common in alike.items() if common == max(alike.values())]
        exact = [file for file in best if file.name == wanted.name]  # x.wav and x.flac may both be there
        best = exact or [file for file in best if folded(file.name) == folded(wanted.name)] or best
        if not best:
            return f"there is no recording {name} in the folder"
        if len(best) > 1:
            return f"{name} may be {best[0]} or {best[1]}"
        if (reason := self.missing(best[0])) != "":
            return reason
        first, *others = best[0].parts[-1 - alike[best[0]] :]
        kept = others if others and first in _WAVS else (first, *others)
        return self._match(self.path / best[0], PurePosixPath(*kept).with_suffix(""))

    def _common(self, file: PurePosixPath, wanted: PurePosixPath) -> int | None:
        """How many folders both paths end with; None where a folder of either is another: it may be another speaker's.

        What all recordings have in common, and folders like ``wavs``, tells nothing.
        """
        above = tuple(folded(part) for part in file.parts[:-1])
        asked = tuple(folded(part) for part in wanted.parts[:-1])
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
        return next((n for n, (here, there) in enumerate(pairs) if here != there), min(len(first), len(last)))


def public_name(name: str) -> str:
    """A path as a dataset may hold it, which may be shared: of one from the root, the file's name."""
    return PureWindowsPath(name).name if re.match(r"[/\\]|[A-Za-z]:[/\\]", name) else name


def by_folded_name(folder: Path) -> dict[str, Path]:
    """What lies in a folder, by its `folded` name."""
    try:
        return {folded(path.name): path for path in sorted(folder.iterdir(), reverse=True)}
    except OSError:
        return {}


def folded(name: str) -> str:
    """A name as it is compared: capitals and Unicode forms do not count."""
    return composed(name).casefold()


def _without_ending(file: PurePath) -> PurePosixPath:
    return PurePosixPath(file.parent, file.stem)


def _plain(folder: Path, name: str, base: str) -> PurePosixPath:
    within = os.path.relpath(name, folder) if Path(name).is_absolute() else os.path.normpath(name)
    plain = PurePosixPath(base, within)
    return plain.with_suffix("") if is_sound(name) else plain


def clip_name(name: PurePosixPath) -> str:
    """A clip's name: the parts of a relative path joined by ``-``, composed (NFC), invalid UTF-8 replaced."""
    joined = composed("-".join(part for part in name.parts if part != ".."))
    return joined.encode("utf-8", "replace").decode()
