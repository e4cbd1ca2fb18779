"""How much work a text is worth: one of `--steps`, `--draft`, `--best` and `--max-rtf`."""

from voxgrad.errors import BadInputError
from voxgrad.settings import BEST_STEPS, DRAFT_STEPS


def chosen_steps(steps: int | None, *, draft: bool, best: bool, max_rtf: float | None) -> dict[str, int]:
    """The setting ``steps`` where one was asked for; nothing where the default or a measurement decides.

    Raises:
        BadInputError: two of them were given, or a factor that is no number.

    >>> chosen_steps(None, draft=True, best=False, max_rtf=None), chosen_steps(8, draft=False, best=False, max_rtf=None)
    ({'steps': 4}, {'steps': 8})
    """
    given = [
        name
        for name, asked in {
            "--steps": steps is not None,
            "--draft": draft,
            "--best": best,
            "--max-rtf": max_rtf is not None,
        }.items()
        if asked
    ]
    if len(given) > 1:
        raise BadInputError(f"{' and '.join(given)} exclude each other", "Give one of them.")
    if max_rtf is not None and not max_rtf > 0:
        raise BadInputError("--max-rtf is no number above 0", "Give a number such as 0.3.")
    if draft or best:
        return {"steps": DRAFT_STEPS if draft else BEST_STEPS}
    return {} if steps is None else {"steps": steps}
