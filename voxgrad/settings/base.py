"""What all settings have in common."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]


def either(names: Sequence[str]) -> str:
    """Names to choose from, as a sentence has them.

    >>> either(["a", "b", "c"])
    'a, b or c'
    """
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def one_of(name: str, names: Sequence[str]) -> str:
    """Return ``name`` if it is among ``names``, for validators.

    Raises:
        ValueError: it is not.
    """
    if name not in names:
        raise ValueError(f"choose {either(names)}")
    return name


class Spec(BaseModel):
    """Base of all settings: immutable, and an unknown key is an error. A field's docstring is its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
