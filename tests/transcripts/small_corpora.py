"""Small corpora in the forms that people bring, made of empty recordings, from ``small_corpora.yaml``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from voxgrad.textgrid import Interval, text_grid

Text = tuple[str, str, str | None]


def grid(tiers: Mapping[str, Sequence[tuple[float, float, str]]]) -> str:
    """A TextGrid in Praat's long format."""
    return text_grid({name: [Interval(*one) for one in intervals] for name, intervals in tiers.items()}, 9)


@dataclass(frozen=True)
class Sample:
    """A corpus in small: what it is recognised as, its recordings, its other files, and the texts in it."""

    form: str
    sounds: list[str]
    files: dict[str, str]
    texts: list[Text]

    @property
    def main(self) -> str:
        """The file that variants damage."""
        return next(iter(self.files))

    def write(self, folder: Path) -> Path:
        """Makes it in a folder."""
        for name, content in {**dict.fromkeys(self.sounds, ""), **self.files}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content.encode())
        return folder


def _sample(form: str, sounds: list[str], files: dict[str, Any], texts: list[Text]) -> Sample:
    written = {name: content if isinstance(content, str) else grid(content) for name, content in files.items()}
    return Sample(form, sounds, written, [tuple(text) for text in texts])


WRITTEN = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
SAMPLES = {name: _sample(**sample) for name, sample in WRITTEN.items()}
