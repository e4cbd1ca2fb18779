"""A folder of empty recordings, and of files with their texts."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

Files = Mapping[str, str | bytes]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of empty recordings; a list in it, if any, is given as text, as are other files."""

    def make(*recordings: str, listed: str | bytes | None = None, files: Files = MappingProxyType({})) -> Path:
        folder = tmp_path / "voice"
        folder.mkdir()
        contents = {**dict.fromkeys(recordings, b""), **files}
        if listed is not None:
            contents["metadata.csv"] = listed
        for name, content in contents.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return make
