"""What every loaded voice does, whichever engine computes: text → passages → audio. It needs no torch."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

import voxgrad
from voxgrad.options import takes_options
from voxgrad.settings import AcousticSpec, DeliverySpec, SynthesisSpec
from voxgrad.speech.cast import Cast
from voxgrad.speech.provenance import CastMember, Recipe, Source
from voxgrad.speech.results import Speech, Spoken, SpokenPassage, TextSummary
from voxgrad.speech.stream import Resumption, cut, readable, speak
from voxgrad.store.artifact import Artifact
from voxgrad.text.lexicon import LEXICON, Lexicon
from voxgrad.text.passages import Passage
from voxgrad.text.ssml import is_ssml, read_script

_PEAK: Final = 0.99
_SHORTEST_TO_SHIFT: Final = 0.1  # seconds
_SYNTHESIS, _DELIVERY = SynthesisSpec(), DeliverySpec()


@dataclass(frozen=True, eq=False)
class Speaker(ABC):
    """A voice that is ready to speak.

    Attributes:
        voice: the voice or base that speaks, or the ONNX graph of one.
        vocoder: None for Griffin-Lim, and for a graph, which holds its own.
        lexicon: the user's pronunciations.
    """

    voice: Artifact
    vocoder: Artifact | None
    lexicon: Lexicon

    @property
    @abstractmethod
    def spec(self) -> AcousticSpec:
        """What the voice carries."""

    @property
    @abstractmethod
    def threads(self) -> int:
        """Of the processor: sums of other numbers of threads round otherwise."""

    @property
    @abstractmethod
    def tools(self) -> dict[str, str]:
        """Versions of what computes."""

    @property
    def made_by(self) -> dict[str, Any]:
        """What a recipe says of the engine; nothing where it is torch."""
        return {}

    @property
    def sources(self) -> tuple[Source, Source | None]:
        """The voice and the vocoder, as recipes name them."""
        return Source.of(self.voice), None if self.vocoder is None else Source.of(self.vocoder)

    @property
    def parents(self) -> dict[str, str]:
        """References of what speaks, by role."""
        vocoder = {} if self.vocoder is None else {"vocoder": self.vocoder.ref}
        return {"voice": self.voice.ref, **vocoder}

    def resolve_defaults(self, synthesis: SynthesisSpec) -> SynthesisSpec:
        """The settings with what was not given and only this speaker can tell."""
        return synthesis.resolve_defaults(self.spec.model)

    def row_of(self, speaker: str | None) -> int:
        """The embedding row of a speaker; None: the default.

        Raises:
            BadInputError: there is no such speaker.
        """
        return self.spec.row_of(speaker)

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.spec.mel.sample_rate

    @takes_options(synthesis=SynthesisSpec, delivery=DeliverySpec)
    def say(
        self,
        text: str,
        *,
        seed: int = 0,
        cast: Cast | None = None,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
    ) -> Speech:
        """Speak a text, which is held in memory as a whole; see `stream` for long ones.

        Args:
            text: written English, or SSML.
            seed: of all noise: the same seed gives the same samples.
            cast: the voices that SSML names; None: the speakers of this one.
            synthesis: its fields, such as ``speed=1.2``.
            delivery: its fields, such as ``pitch=2``.

        Raises:
            BadInputError: a setting or the text cannot be used.
        """
        pieces = list(self.stream([text], synthesis, delivery, seed, cast))
        return Speech(
            np.concatenate([piece.samples for piece in pieces]),
            self.rate,
            tuple(piece.timing for piece in pieces),
            tuple(piece.durations for piece in pieces),
            self.recipe(text, synthesis, delivery, seed, cast),
        )

    def stream(
        self,
        texts: Iterable[str],
        synthesis: SynthesisSpec = _SYNTHESIS,
        delivery: DeliverySpec = _DELIVERY,
        seed: int = 0,
        cast: Cast | None = None,
        after: Resumption = Resumption(),  # noqa: B008 - frozen
    ) -> Iterator[SpokenPassage]:
        """Speak texts passage by passage, in memory that does not grow with them.

        Args:
            texts: a paragraph each, plain or SSML; they may still be coming.
            synthesis: steps, temperature, speed.
            delivery: pitch, volume, silences.
            seed: of all noise.
            cast: the voices that SSML names; None: the speakers of this one.
            after: pieces that are left out, because they were spoken before.

        Raises:
            BadInputError: a text cannot be read, or none of them holds anything to say. What could be said has
                been by then.
        """
        items, synthesis = (
            (item for text in texts for item in readable(text)),
            self.resolve_defaults(synthesis),
        )
        return speak(items, Cast(self) if cast is None else cast, synthesis, delivery, seed, after)

    def summarize(self, texts: Iterable[str], cast: Cast | None = None) -> TextSummary:
        """Read texts without speaking them, so that what cannot be said is found first.

        Raises:
            BadInputError: a text cannot be read.
        """
        count = tokens = 0
        unknown: dict[str, None] = {}
        items = (item for text in texts for item in readable(text))
        for passage in cut(items, Cast(self) if cast is None else cast):
            if isinstance(passage, Passage):
                count += bool(passage.encoded.words)
                tokens += len(passage.encoded.tokens)
                unknown.update(dict.fromkeys(passage.encoded.unknown))
        return TextSummary(count, tokens, tuple(unknown))

    def recipe(
        self,
        text: str | None,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        seed: int,
        cast: Cast | None = None,
    ) -> Recipe:
        """All that is needed to say a text again.

        Raises:
            BadInputError: the text is SSML that cannot be read, or names a voice or a sound that is not there.
        """
        items = () if text is None or not is_ssml(text) else read_script(text).items
        known = Cast(self) if cast is None else cast
        return Recipe(
            voxgrad=voxgrad.__version__,
            text=text,
            seed=seed,
            voice=self.sources[0],
            vocoder=self.sources[1],
            synthesis=self.resolve_defaults(synthesis).model_dump(),
            delivery=delivery.model_dump(),
            lexicon=self.lexicon.sha256 if self.lexicon else None,
            threads=self.threads,
            consent=self.voice.manifest.consent,
            licence=self.voice.manifest.licence,
            cast={
                name: CastMember.of(member.synthesizer, member.speaker)
                for name, member in known.members(items).items()
            },
            sounds=known.sounds(items),
            **self.made_by,
        )

    @abstractmethod
    def speak(
        self,
        passage: Passage,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        seed: int,
        pauses: Sequence[tuple[int, float]] = (),
    ) -> Spoken:
        """Speak one passage.

        Args:
            passage: as this voice reads it.
            synthesis: steps, temperature, speed.
            delivery: pitch, volume, silences.
            seed: of all noise.
            pauses: numbers of words, each with the seconds of silence before it.
        """


def carried_lexicon(voice: Artifact) -> Path | None:
    """The lexicon that a voice brings with it."""
    return voice.path(LEXICON) if any(file.path == LEXICON for file in voice.manifest.files) else None
