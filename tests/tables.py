"""Rows of the tables beside the tests."""

import re
from pathlib import Path

_ESCAPE = r"\\(?:[nt\\]|x([0-9a-f]{2})|u([0-9a-f]{4}))"
_NAMED = {"\\n": "\n", "\\t": "\t", "\\\\": "\\"}


def rows(name: str, kind: str | None = None) -> list[tuple[str, ...]]:
    """The rows of a table, columns between tabs, of which the second has escapes; of one kind, without the first."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines if not line.startswith("# ")]
    found = [(first, re.sub(_ESCAPE, _unescaped, written), *more) for first, written, *more in cells]
    return found if kind is None else [row[1:] for row in found if row[0] == kind]


def _unescaped(match: re.Match[str]) -> str:
    return _NAMED.get(match[0]) or chr(int(match[1] or match[2], 16))
