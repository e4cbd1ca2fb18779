"""Which voice speaks, by the words that people use for it."""

from pathlib import Path

from voxgrad.errors import BadInputError
from voxgrad.events import Emit, ignore
from voxgrad.onnx.runtime import KIND
from voxgrad.settings import SynthesisSpec
from voxgrad.speech.engines import Engine, choose_engine, open_speaker
from voxgrad.speech.speaker import Speaker, carried_lexicon
from voxgrad.store.artifact import Artifact, Reference
from voxgrad.store.store import Store
from voxgrad.text.lexicon import Lexicon
from voxgrad.vocoder.choice import choose_vocoder, mel_of

_SPEAKERS = ("voice", "base", KIND)


def find_voice(store: Store, ref: str | None) -> Artifact:
    """The voice, base or graph that is named; else the newest voice, and a base or graph only where there is none.

    Raises:
        BadInputError: nothing that can speak answers to it.
    """
    preferred = next((kind for kind in _SPEAKERS if store.list(kind)), "voice")
    if ref is None:
        return store.find(None, preferred)
    named = Reference.parse(ref)
    kind = named.kind
    if kind is None and named.digest is None:
        # A voice has the name of its dataset by default, and so is its speech.
        kinds = {one.kind for one in store.scan() if one.name == named.name}
        kind = next((one for one in _SPEAKERS if one in kinds), min(kinds, default=preferred))
    found = store.find(ref, kind)
    if found.kind not in _SPEAKERS:
        raise BadInputError(f"{ref} is a {found.kind} and cannot speak", "Name a voice or a base.")
    return found


def find_vocoder(store: Store, ref: str | None, voice: Artifact, emit: Emit) -> Artifact | None:
    """The vocoder that speaks what a voice says; None for Griffin-Lim, and for a graph, which holds its own.

    Raises:
        BadInputError: nothing answers to ``ref``, or one was named for a graph.
    """
    if voice.kind != KIND:
        return choose_vocoder(store, ref, mel_of(voice), emit)
    if ref is not None:
        raise BadInputError(f"{voice} is an ONNX graph and holds its vocoder", "Leave out --vocoder.")
    return None


def load_speaker(
    store: Store,
    voice: str | None,
    vocoder: str | None,
    lexicon: Path | None,
    emit: Emit = ignore,
    *,
    engine: Engine = "auto",
    synthesis: SynthesisSpec = SynthesisSpec(),  # noqa: B008 - frozen
) -> tuple[Speaker, SynthesisSpec]:
    """Find and load a voice with its vocoder.

    Args:
        store: where they are.
        voice: a reference to a voice, a base or a graph; None means the newest.
        vocoder: a reference, or ``griffinlim``; None means the newest that fits.
        lexicon: pronunciations, which go before those of the voice, and these before the store's.
        emit: called with a remark where no vocoder fits.
        engine: what computes; see `voxgrad.speech.engines`.
        synthesis: settings that it shall speak with.

    Returns:
        The speaker, and the settings with what a graph alone decides.

    Raises:
        BadInputError: something is not there, or does not fit.
        IntegrityError: something is damaged.
    """
    found = find_voice(store, voice)
    sound = find_vocoder(store, vocoder, found, emit)
    words = Lexicon.gather(store.home, carried_lexicon(found), lexicon)
    chosen = choose_engine(store, engine, found, sound, synthesis, emit)
    return open_speaker(found, sound, words, chosen.graph), chosen.synthesis
