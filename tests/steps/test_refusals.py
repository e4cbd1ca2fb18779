"""Commands that cannot be done are refused in one line before any work, and leave nothing behind."""

import shlex
from pathlib import Path

import pytest

from tests.tables import rows


@pytest.mark.parametrize(("says", "line"), rows("steps/refusals.tsv"))
def test_what_cannot_be_done_is_refused(says, line, chain, furnished, refused):
    words = [str(chain.recordings) if word == "RECORDINGS" else word for word in shlex.split(line)]
    assert says in refused(*words)
    assert [path.name for path in Path().iterdir()] == ["home"]
