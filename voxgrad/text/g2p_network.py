"""The grapheme-to-phoneme network of g2p-en, for words that no dictionary has.

Source: Park and Kim, g2p-en 2.1.0: one GRU (Cho et al. 2014) reads the letters, another writes the phones.
Importing that package would download NLTK data, so only its weights are read, and the two GRUs run here.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from string import ascii_lowercase
from typing import TYPE_CHECKING, Final

from voxgrad.text.dictionary import package_file
from voxgrad.text.symbols import PHONES

if TYPE_CHECKING:  # numpy takes longer to import than most sentences take to read
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

_LETTERS: Final = {letter: index for index, letter in enumerate(ascii_lowercase, start=3)}
_END_OF_WORD: Final = 2
_MARKS: Final = ("<pad>", "<unk>", "<s>", "</s>")
# UW is the one vowel that its training data also held without stress.
_BARE: Final = {vowel.rstrip("012") for vowel in PHONES if vowel[-1] in "012"} - {"UW"}
_OUTPUTS: Final = (*_MARKS, *(phone for phone in PHONES if phone not in _BARE))
_START, _END = 2, 3
_MAX_PHONES: Final = 20


@dataclass(frozen=True, slots=True)
class _Gru:
    """One GRU layer. Shapes: w_ih [3H, E], w_hh [3H, H], b_ih and b_hh [3H]; gates in the order r, z, n."""

    embedding: "Array"
    w_ih: "Array"
    w_hh: "Array"
    b_ih: "Array"
    b_hh: "Array"

    def step(self, symbol: int, hidden: "Array") -> "Array":
        """The next hidden state [H] after ``symbol``."""
        import numpy as np  # noqa: PLC0415

        size = len(hidden)
        from_input = self.embedding[symbol] @ self.w_ih.T + self.b_ih
        from_hidden = hidden @ self.w_hh.T + self.b_hh
        gates = 1 / (1 + np.exp(-(from_input[: 2 * size] + from_hidden[: 2 * size])))
        reset, update = gates[:size], gates[size:]
        candidate = np.tanh(from_input[2 * size :] + reset * from_hidden[2 * size :])
        state: Array = (1 - update) * candidate + update * hidden
        return state


@dataclass(frozen=True, slots=True)
class _Weights:
    encoder: _Gru
    decoder: _Gru
    fc_w: "Array"
    fc_b: "Array"


@cache
def _weights() -> _Weights:
    import numpy as np  # noqa: PLC0415

    with np.load(package_file("g2p_en", "checkpoint20.npz"), allow_pickle=False) as arrays:
        encoder, decoder = (
            _Gru(*(arrays[f"{side}_{name}"] for name in ("emb", "w_ih", "w_hh", "b_ih", "b_hh")))
            for side in ("enc", "dec")
        )
        return _Weights(encoder, decoder, arrays["fc_w"], arrays["fc_b"])


@lru_cache(maxsize=4096)
def predict(word: str) -> tuple[str, ...]:
    """The phones that the network gives ``word``, at most 20.

    Args:
        word: letters a to z only.
    """
    import numpy as np  # noqa: PLC0415

    weights = _weights()
    hidden: Array = np.zeros(weights.encoder.w_hh.shape[1], np.float32)
    for letter in word:
        hidden = weights.encoder.step(_LETTERS[letter], hidden)
    hidden = weights.encoder.step(_END_OF_WORD, hidden)
    phones: list[str] = []
    symbol = _START
    for _ in range(_MAX_PHONES):
        hidden = weights.decoder.step(symbol, hidden)
        symbol = int(np.argmax(hidden @ weights.fc_w.T + weights.fc_b))
        if symbol == _END:
            break
        phones.append(_OUTPUTS[symbol])
    return tuple(phones)
