"""What a voice has said: a passage, or a whole text."""

from dataclasses import dataclass
from pathlib import Path

from voxgrad.audio.io import Samples
from voxgrad.audio.writers import open_writer
from voxgrad.speech.provenance import MARK, Recipe
from voxgrad.speech.word_timings import TimedPassage
from voxgrad.text.passages import Passage


@dataclass(frozen=True, eq=False)
class Spoken:
    """A passage alone, without the silence around it.

    Attributes:
        samples: (n,) float32.
        mel: (n_mels, frames) float32.
        durations: frames of every token.
        borders: seconds at which every token begins, and the last one ends.
        lead: seconds of silence before the first sound.
        tail: seconds of silence after the last.
    """

    samples: Samples
    mel: Samples
    durations: tuple[int, ...]
    borders: tuple[float, ...]
    lead: float
    tail: float


@dataclass(frozen=True, eq=False)
class Utterance:
    """One utterance, as a network says it.

    Attributes:
        samples: (n,) float32, of any level.
        mel: (n_mels, frames) float32.
        durations: frames of every token.
    """

    samples: Samples
    mel: Samples
    durations: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class SpokenPassage:
    """A passage, spoken; or a sound, or the silence at the end, which have no words.

    Attributes:
        passage: what was said.
        samples: (n,) float32, with silence before and after it.
        mel: (n_mels, frames) float32, as the model gave it.
        durations: frames of every token; empty without words.
        timing: when its words are said, in the whole.
        tail: samples of silence after the last sound.
    """

    passage: Passage
    samples: Samples
    mel: Samples
    durations: tuple[int, ...]
    timing: TimedPassage
    tail: int = 0


@dataclass(frozen=True, eq=False)
class Speech:
    """A text, spoken.

    Attributes:
        samples: (n,) float32, full scale at ±1.
        rate: samples per second.
        passages: what was said when, words and phones; seconds.
        durations: frames of every token, by passage.
        recipe: all that is needed to say it again.
    """

    samples: Samples
    rate: int
    passages: tuple[TimedPassage, ...]
    durations: tuple[tuple[int, ...], ...]
    recipe: Recipe

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate

    def save(self, path: str | Path, *, metadata: bool = True) -> None:
        """Write an audio file: .wav, .flac, .ogg or .mp3.

        Args:
            path: where to.
            metadata: False leaves only the mark that it is synthetic.

        Raises:
            BadInputError: the name ends in none of these, or its folder does not exist.
            EnvironmentFailureError: the disk refuses.
        """
        with open_writer(Path(path), self.rate, self.recipe.remark if metadata else MARK) as sink:
            sink.write(self.samples)


@dataclass(frozen=True, slots=True)
class TextSummary:
    """What a text will take.

    Attributes:
        passages: how many.
        tokens: of all of them.
        unknown: words that no dictionary has, each once.
    """

    passages: int
    tokens: int
    unknown: tuple[str, ...]
