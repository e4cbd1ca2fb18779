"""Small corpora in the forms that people bring, made of empty recordings, from ``small_corpora.yaml``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Interval = tuple[float, float, str]
Text = tuple[str, str, str | None]

GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 9
tiers? <exists>
size = {size}
item []:
{tiers}"""
TIER = """    item [{number}]:
        class = "IntervalTier"
        name = "{name}"
        xmin = 0
        xmax = 9
        intervals: size = {size}
{intervals}"""
INTERVAL = """        intervals [{number}]:
            xmin = {start}
            xmax = {stop}
            text = "{text}"
"""


def grid(tiers: Mapping[str, Sequence[Interval]]) -> str:
    """A TextGrid in Praat's long format."""
    made = []
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        lines = (
            INTERVAL.format(number=index, start=start, stop=stop, text=text)
            for index, (start, stop, text) in enumerate(intervals, 1)
        )
        made.append(TIER.format(number=number, name=name, size=len(intervals), intervals="".join(lines)))
    return GRID.format(size=len(tiers), tiers="".join(made))


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
