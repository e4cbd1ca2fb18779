"""Rows of the tables beside the tests."""

import re
from pathlib import Path

_ESCAPE = r"\\(?:[nt\\]|x([0-9a-f]{2})|u([0-9a-f]{4}))"
_NAMED = {"\\n": "\n", "\\t": "\t", "\\\\": "\\"}


def rows(name: str) -> list[tuple[str, ...]]:
    """The rows of a table, columns between tabs; the second is what is written, with escapes."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines if not line.startswith("# ")]
    return [(first, re.sub(_ESCAPE, _unescaped, written), *more) for first, written, *more in cells]


def _unescaped(match: re.Match[str]) -> str:
    return _NAMED.get(match[0]) or chr(int(match[1] or match[2], 16))
