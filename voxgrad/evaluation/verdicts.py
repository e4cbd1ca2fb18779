"""Verdicts: sentences that say what measurements mean, each with a rating in a word of ITU-T P.800.

The server shows them, so nothing here imports torch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, float | None]

VOICE, RECORDINGS = "voice", "recordings"
"""Columns of an evaluation."""
LIKENESS, UNDERSTOOD, CLEARNESS = "likeness", "words understood", "clearness"
INSTALL = "pip install 'voxgrad[eval]'"

RATINGS = ("excellent", "good", "fair", "poor")


@dataclass(frozen=True, slots=True)
class Scale:
    """The least values that are excellent, good and fair."""

    excellent: float
    good: float
    fair: float

    def rating(self, value: float) -> str:
        """The word for a value.

        >>> Scale(0.85, 0.65, 0.4).rating(0.85), Scale(0.85, 0.65, 0.4).rating(-0.2)
        ('excellent', 'poor')
        """
        return RATINGS[sum(round(value, 4) < bound for bound in (self.excellent, self.good, self.fair))]


SCALES = {LIKENESS: Scale(0.9, 0.7, 0.3), UNDERSTOOD: Scale(-0.01, -0.03, -0.08), CLEARNESS: Scale(-0.2, -0.5, -1.0)}
"""Of identity; and of the share of words understood and of DistillMOS, each less that of the recordings. What is rated
is the figure that is shown, which is rounded."""

RELIABLE = 0.8
"""Least share of the recordings' words that a recogniser must understand to rate a voice."""

_ALIKE = {"fair": "Sounds somewhat like", "poor": "Does not sound like"}
_CLEAR = {"fair": "Less clear than", "poor": "Much less clear than"}


def verdicts(metrics: Mapping[str, Any], *, to_speaker: bool = False, on_page: bool = False) -> list[str]:
    r"""Sentences on likeness, words understood and clearness of a voice; ``to_speaker`` calls its speaker "you".

    ``metrics`` are those of an evaluation or a card; ``on_page`` leaves out what is typed into a shell.

    >>> voice = {"identity": 0.88, "misheard": 4, "words": 200, "distillmos": 3.9}
    >>> metrics = {"voice": voice, "recordings": {"misheard": 2, "words": 200, "distillmos": 4.1}}
    >>> print("\n".join(verdicts(metrics, to_speaker=True)))
    Sounds like you: 0.88 of 1 (the nearest other voice: 0). Good.
    Understood: 98 of 100 words (your recordings: 99). Excellent.
    As clear as your recordings: 3.9 of 4.1. Excellent.
    >>> verdicts({"voice": {}, "recordings": {}, "not_installed": ["likeness", "clearness"]})
    ['Not measured: likeness, clearness.', "What measures them: pip install 'voxgrad[eval]'"]
    """
    said = [*_measured(metrics.get(VOICE, {}), metrics.get(RECORDINGS, {}), *_NAMES[to_speaker])]
    if "no_likeness" in metrics:
        said.append(f"{LIKENESS.capitalize()} not measured: {metrics['no_likeness']}.")
    lacking = [measure for measure in metrics.get("not_installed", ()) if measure in SCALES]
    if LIKENESS in lacking and "helped" in metrics:
        brought = "brought the voice" if metrics["helped"] else "did not bring the voice"
        said.append(f"Training {brought} nearer to {_NAMES[to_speaker][1]}.")
    if lacking and on_page:
        said.append(f"Not measured: {', '.join(lacking)}. Whoever installed voxgrad can add that: its extra “eval”.")
    elif lacking:
        said += [f"Not measured: {', '.join(lacking)}.", f"What measures them: {INSTALL}"]
    return said


_NAMES = {True: ("you", "your recordings"), False: ("the speaker", "the recordings")}


def _measured(voice: Figures, recorded: Figures, speaker: str, recordings: str) -> Iterator[str]:
    identity = voice.get("identity")
    if identity is not None:
        rating = SCALES[LIKENESS].rating(round(identity, 2))
        begun = _ALIKE.get(rating, "Sounds like")
        yield f"{begun} {speaker}: {identity:.2f} of 1 (the nearest other voice: 0). {rating.capitalize()}."
    misheard, own_misheard, words = voice.get("misheard"), recorded.get("misheard"), voice.get("words")
    if misheard is not None and own_misheard is not None and words:
        of = min(round(words), 100)
        understood, own = (round(max(0.0, 1 - wrong / words) * of) for wrong in (misheard, own_misheard))
        rating = SCALES[UNDERSTOOD].rating((understood - own) / of).capitalize()
        if own < of * RELIABLE:
            rating = "Not rated: the recogniser misses too many"
        yield f"Understood: {understood} of {of} words ({recordings}: {own}). {rating}."
    clear, own_clear = voice.get("distillmos"), recorded.get("distillmos")
    if clear is not None and own_clear is not None:
        rating = SCALES[CLEARNESS].rating(round(clear, 1) - round(own_clear, 1))
        begun = _CLEAR.get(rating, "As clear as")
        yield f"{begun} {recordings}: {clear:.1f} of {own_clear:.1f}. {rating.capitalize()}."
