"""A voice that speaks texts with any engine, and what it is asked to speak."""

import math
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np

import voxgrad
from voxgrad.audio.io import Samples, Waveform, resample
from voxgrad.audio.writers import check_writable_audio, open_writer
from voxgrad.onnx.runtime import KIND, settings_of
from voxgrad.options import takes_options
from voxgrad.settings import AcousticSpec, AudioSpec, DeliverySpec, SynthesisSpec, TextSpec
from voxgrad.settings.synthesis import Quantize
from voxgrad.store import Artifact
from voxgrad.text.espeak import is_installed
from voxgrad.text.languages import AUTO, known_language
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.marked_text import Segment, Sound
from voxgrad.text.passages import Passage
from voxgrad.text.ssml import is_ssml, read_script
from voxgrad.text.symbols import ENGLISH
from voxgrad.voice.cast import Cast
from voxgrad.voice.engine import Engine, PassageAudio, Pauses, resolve_graph_defaults
from voxgrad.voice.metadata import MARK, CastMember, Recipe, Source
from voxgrad.voice.prosody import mean_decibels
from voxgrad.voice.speak import NO_MEL, NOTHING_YET, Resumption, SpokenPassage, readable, speak
from voxgrad.voice.timings import TimedPassage
from voxgrad.weights import acoustic_spec_of, not_spoken, spoken_by

_PEAK: Final = -1.0  # dB, of what is brought to a loudness
_SYNTHESIS, _DELIVERY = SynthesisSpec(), DeliverySpec()


@dataclass(frozen=True, eq=False, repr=False)
class Speech:
    """A text, spoken."""

    samples: Samples
    """(n,) float32, full scale at ±1."""
    rate: int
    """Samples per second."""
    passages: tuple[TimedPassage, ...]
    """What was said when, words and phones; seconds."""
    durations: tuple[tuple[int, ...], ...]
    """Frames of every token, by passage."""
    recipe: Recipe
    """All that is needed to say it again."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate

    def __repr__(self) -> str:
        return f"<Speech: {self.seconds:.1f} s at {self.rate} Hz>"

    def _repr_html_(self) -> str:
        """A player, for notebooks."""
        import soundfile  # noqa: PLC0415 - only notebooks need it

        content = BytesIO()
        soundfile.write(content, self.samples, self.rate, format="WAV")
        return f'<audio controls src="data:audio/wav;base64,{b64encode(content.getvalue()).decode()}"></audio>'

    def save(self, path: str | Path, *, metadata: bool = True) -> None:
        """Write a .wav, .flac, .ogg, .mp3, .m4a or .opus; without metadata it has only the mark that it is synthetic.

        Raises:
            BadInputError: the name ends in none of these, the format cannot hold what was asked for, or the folder
                does not exist.
            EnvironmentFailureError: PyAV is missing, or the disk refuses.
        """
        path, delivery = Path(path), DeliverySpec(**self.recipe.delivery)
        check_writable_audio(path, delivery)
        with open_writer(path, self.rate, self.recipe.remark if metadata else MARK, delivery) as sink:
            sink.write(self.samples)


@dataclass(frozen=True, slots=True)
class TextSummary:
    """What a text will take."""

    passages: int
    """How many."""
    tokens: int
    """Of all of them."""
    unknown: tuple[str, ...]
    """Words that no dictionary has, each once."""


@dataclass(frozen=True, eq=False, repr=False)
class Voice:
    """A voice that is ready to speak."""

    artifact: Artifact
    """The voice or base that speaks, or the ONNX graph of one."""
    vocoder: Artifact | None
    """None for Griffin-Lim, and for a graph, which holds its own."""
    lexicon: Lexicon
    """The user's pronunciations."""
    open_engine: Callable[[str], Engine]
    """What computes in a language; weights are read when it is first called."""
    quantize: Quantize | None = None
    """Type of the weights where ONNX Runtime computes; None: torch does."""
    speaker: str | None = None
    """Whose voice of a base it is; None: the one that is asked for, or the base's own."""
    languages: Mapping[str, Artifact] = field(default_factory=dict)
    """Who taught its base each language beside English, by code; see `voxgrad.weights.languages_of`."""

    def __repr__(self) -> str:
        return f"<Voice {self.artifact.ref}, speaker {self.speaker or self.spec.voice}>"

    @property
    def engine(self) -> Engine:
        """What computes, loaded.

        Raises:
            BadInputError: voice and vocoder do not fit.
            IntegrityError: one of them is damaged.
        """
        return self.open_engine(self.own_language)

    def ready(self) -> "Voice":
        """The same, with its weights read; see `engine`."""
        self.open_engine(self.own_language)
        return self

    def of_speaker(self, name: str | None) -> "Voice":
        """One of the speakers of a base, with the same weights."""
        return replace(self, speaker=name)

    @property
    def is_graph(self) -> bool:
        """Whether it is an exported graph."""
        return self.artifact.kind == KIND

    @cached_property
    def spec(self) -> AcousticSpec:
        """What the voice carries."""
        if self.is_graph:
            return settings_of(self.artifact)[0]
        return acoustic_spec_of(self.artifact)

    @property
    def spoken(self) -> tuple[str, ...]:
        """The codes of the languages that it speaks, its own first."""
        if self.is_graph:
            return (self.spec.text.language,)
        return spoken_by(self.artifact, self.languages)

    @property
    def own_language(self) -> str:
        """What it speaks where nothing else is asked for: a speaker that was learnt with a language speaks that."""
        if self.speaker is None or self.speaker in self.spec.speakers:
            return self.spec.text.language
        taught = [code for code, by in self.languages.items() if self.speaker in acoustic_spec_of(by).speakers]
        mostly = [code for code in taught if self.languages[code].manifest.settings["voices"][code] == self.speaker]
        return next(iter((*mostly, *taught)), self.spec.text.language)

    def check_speaker(self, name: str) -> None:
        """Check that it has a speaker, in English or another language.

        Raises:
            BadInputError: it has none of that name.
        """
        if not any(name in acoustic_spec_of(language).speakers for language in self.languages.values()):
            self.spec.row_of(name)

    def reads(self, code: str) -> bool:
        """Whether it speaks a language, and what reads that is installed."""
        return code in self.spoken and (code == ENGLISH or is_installed())

    def text_in(self, language: str) -> TextSpec:
        """How it reads a language, by a code such as ``pt-BR``.

        Raises:
            BadInputError: it does not speak it.
        """
        code = known_language(language)
        if code not in self.spoken:
            raise not_spoken(self.artifact, code, self.spoken)
        return self.spec.text.model_copy(update={"language": code})

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.spec.mel.sample_rate

    @property
    def parents(self) -> dict[str, Artifact]:
        """What speaks, by role."""
        return {"voice": self.artifact, **({} if self.vocoder is None else {"vocoder": self.vocoder})}

    def resolve_defaults(self, synthesis: SynthesisSpec) -> SynthesisSpec:
        """The settings with what was not given and only this voice can tell."""
        if self.is_graph:
            return resolve_graph_defaults(settings_of(self.artifact)[1], synthesis)
        return synthesis.resolve_defaults(self.spec.model)

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
        job = SpeechJob(text, Cast(self) if cast is None else cast, synthesis, delivery, seed)
        pieces = list(job.pieces())
        return Speech(
            np.concatenate([piece.samples for piece in pieces]),
            job.rate,
            tuple(piece.timing for piece in pieces),
            tuple(piece.durations for piece in pieces),
            job.recipe,
        )

    def stream(
        self,
        texts: Iterable[str],
        synthesis: SynthesisSpec = _SYNTHESIS,
        delivery: DeliverySpec = _DELIVERY,
        seed: int = 0,
        cast: Cast | None = None,
    ) -> Iterator[SpokenPassage]:
        """Speak texts, a paragraph each, which may still be coming, in memory that does not grow with them.

        Raises:
            BadInputError: a text cannot be read, or none of them holds anything to say. What could be said has
                been by then.
        """
        return SpeechJob("", Cast(self) if cast is None else cast, synthesis, delivery, seed).pieces(texts)

    def speak(
        self,
        passage: Passage,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        seed: int,
        pauses: Pauses,
        rate: int,
    ) -> PassageAudio:
        """Speak one passage, at a rate in Hz."""
        if self.speaker is not None:
            synthesis = synthesis.model_copy(update={"speaker": self.speaker})
        spoken = self.open_engine(passage.encoded.language).speak(passage, synthesis, delivery, seed, pauses)
        return replace(spoken, samples=resample(Waveform(spoken.samples, self.rate), rate).samples)

    @property
    def engine_settings(self) -> dict[str, str]:
        """What a recipe says of the engine; nothing where it is torch."""
        return {} if self.quantize is None else {"engine": "onnx", "quantize": self.quantize}

    @property
    def credits(self) -> dict[str, Any]:
        """What a recipe says of a voice: of a graph, what it was made from."""
        manifest = self.artifact.manifest
        voice, vocoder = Source.of(self.artifact), None if self.vocoder is None else Source.of(self.vocoder)
        graph = voice if self.is_graph else None
        if graph is not None:
            made = manifest
            voice, vocoder = (
                Source(kind=kind, ref=made.parents[role].ref, digest=made.parents[role].digest)
                for role, kind in (("voice", str(made.settings["kind"])), ("vocoder", "vocoder"))
            )
        return {
            "voice": voice,
            "vocoder": vocoder,
            "graph": graph,
            "lexicon": self.lexicon.sha256 if self.lexicon else None,
            "consent": manifest.consent,
            "licence": manifest.licence,
        }


@dataclass(frozen=True)
class SpeechJob:
    """What is said, and how."""

    text: str
    """Written English, or SSML."""
    cast: Cast
    """Whose voice, and the voices and sounds of SSML."""
    synthesis: SynthesisSpec = _SYNTHESIS
    """Steps, temperature, speed."""
    delivery: DeliverySpec = _DELIVERY
    """Pitch, volume, silences, and what the audio file is like."""
    seed: int = 0
    """Of all noise."""
    coming: bool = False
    """The text still comes, and is told to `pieces`."""

    @property
    def voice(self) -> Voice:
        """Whose voice."""
        return self.cast.narrator

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.delivery.rate or self.voice.rate

    @property
    def engine(self) -> Engine:
        """What speaks the language that was asked for, loaded."""
        asked = self.synthesis.language
        if asked is None or asked == AUTO:
            return self.voice.engine
        return self.voice.open_engine(self.voice.text_in(asked).language)

    @cached_property
    def settings(self) -> SynthesisSpec:
        """The settings with what was not given and only the voice can tell."""
        return self.voice.resolve_defaults(self.synthesis)

    def pieces(self, texts: Iterable[str] | None = None, after: Resumption = NOTHING_YET) -> Iterator[SpokenPassage]:
        """Speak the text, or paragraphs that still come, ``after`` what was spoken, in memory that does not grow.

        Raises:
            BadInputError: as `Voice.stream`.
        """
        rate, cast = self.rate, self.cast

        def speak_item(item: Passage | Sound, seed: int, pauses: Pauses) -> PassageAudio:
            if isinstance(item, Sound):
                samples = self.level(item, cast.play(item, rate))
                return PassageAudio(samples, NO_MEL, (), (0.0, len(samples) / rate))
            spoken = cast.voice(item.voice).speak(item, self.settings, self.delivery, seed, pauses, rate)
            return replace(spoken, samples=self.level(item, spoken.samples))

        items = (item for text in ([self.text] if texts is None else texts) for item in readable(text))
        return speak(items, cast.front_end(self.synthesis.language), speak_item, rate, self.delivery, self.seed, after)

    def level(self, item: Passage | Sound, samples: Samples) -> Samples:
        """The samples of an item with the loudness and the peak that are asked for."""
        loudness, peak = self.delivery.loudness, self.delivery.peak
        if loudness is None and peak is None:
            return samples
        # Only here, because it needs torch.
        from voxgrad.audio.loudness import amplify, level, limit  # noqa: PLC0415

        waveform, peak = Waveform(samples, self.rate), _PEAK if peak is None else peak
        if loudness is None:
            return limit(waveform, peak).samples
        loudness -= 10 * math.log10(self.delivery.channels)  # which add up
        if isinstance(item, Sound):  # it comes at the loudness of a recording, or as much louder as is asked for
            return limit(amplify(waveform, loudness - AudioSpec().loudness_lufs), peak).samples
        return level(waveform, loudness + mean_decibels(item), peak).samples

    def summarize(self) -> TextSummary:
        """Read the text without speaking it, so that what cannot be said is found first.

        Raises:
            BadInputError: it cannot be read.
        """
        count = tokens = 0
        unknown: dict[str, None] = {}
        for passage in self.cast.passages([self.text], self.synthesis.language):
            if isinstance(passage, Passage):
                count += bool(passage.encoded.words)
                tokens += len(passage.encoded.tokens)
                unknown.update(dict.fromkeys(passage.encoded.unknown))
        return TextSummary(count, tokens, tuple(unknown))

    @cached_property
    def recipe(self) -> Recipe:
        """All that is needed to say the text again.

        Raises:
            BadInputError: it is SSML that cannot be read, or names a voice or a sound that is not there.
        """
        items = read_script(self.text).items if is_ssml(self.text) else ()
        names = dict.fromkeys(item.voice for item in items if isinstance(item, Segment))
        members = {name: self.cast.voice(name) for name in names if name is not None}
        return Recipe(
            voxgrad=voxgrad.__version__,
            text=None if self.coming else self.text,
            seed=self.seed,
            synthesis=self.settings.model_dump(),
            delivery=self.delivery.model_dump(),
            threads=self.engine.threads,
            cast={name: CastMember(speaker=voice.speaker, **voice.credits) for name, voice in members.items()},
            sounds=self.cast.sounds(items),
            **self.voice.credits,
            **self.voice.engine_settings,
        )
