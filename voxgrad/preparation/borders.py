"""Where a long recording was cut in the middle of a sentence: the word that a piece ends with."""

from collections.abc import Sequence

import torch
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel
from voxgrad.errors import BadInputError
from voxgrad.preparation.fit import means, searched
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.tokens import encode

_WORDS = 3
"""That may move from one piece to the next."""
_MARKS = tuple(".!?;:,)\"'”’")
_IMPOSSIBLE = float("-inf")


def settled(base: AcousticModel, texts: Sequence[str], mels: Sequence[Tensor], lexicon: Lexicon) -> list[str]:
    """Moves words between neighbouring pieces, where both are then more likely.

    In a whole text, a base expects no pause within a sentence; here every piece is read as it was said, with its
    own beginning and end.

    Args:
        base: what aligns.
        texts: of the pieces.
        mels: of the pieces, (n_feats, frames) each.
        lexicon: the user's pronunciations.
    """
    found = list(texts)
    known = [_residual(base, text, mel, lexicon) for text, mel in zip(found, mels, strict=True) if text]
    residuals = [residual for residual in known if residual is not None]
    if not residuals:
        return found
    difference = torch.cat(residuals, 1).mean(1, keepdim=True)
    shifted = [mel - difference for mel in mels]
    for index in range(len(found) - 1):
        if found[index] and found[index + 1] and not found[index].endswith(_MARKS):
            pair = found[index].split(), found[index + 1].split()
            found[index : index + 2] = _best(base, *pair, shifted[index : index + 2], lexicon)
    return found


def _best(
    base: AcousticModel, left: list[str], right: list[str], mels: Sequence[Tensor], lexicon: Lexicon
) -> tuple[str, str]:
    words = left + right
    ends = range(max(1, len(left) - _WORDS), min(len(words) - 1, len(left) + _WORDS) + 1)
    candidates = [(" ".join(words[:end]), " ".join(words[end:])) for end in ends]
    return max(
        candidates,
        key=lambda pair: sum(
            _likelihood(base, text, mel, lexicon) for text, mel in zip(pair, mels, strict=True)
        ),
    )


def _likelihood(base: AcousticModel, text: str, mel: Tensor, lexicon: Lexicon) -> float:
    """Of all frames together, without its constant."""
    residual = _residual(base, text, mel, lexicon)
    return _IMPOSSIBLE if residual is None else float(-0.5 * residual.square().sum())


def _residual(base: AcousticModel, text: str, mel: Tensor, lexicon: Lexicon) -> Tensor | None:
    """(n_feats, frames); None where the text cannot be all that is said."""
    try:
        tokens = encode(text, base.spec.text, lexicon).tokens
    except BadInputError:
        return None
    if len(tokens) > mel.shape[1]:
        return None
    return searched(means(base, tokens)[0], mel)[1]
