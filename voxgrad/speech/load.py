"""Which voice speaks, by the words that people use for it."""

from pathlib import Path

from voxgrad.errors import BadInputError
from voxgrad.events import Emit, ignore
from voxgrad.settings import SynthesisSpec
from voxgrad.speech.performance import compile_synthesizer
from voxgrad.speech.synthesizer import Synthesizer, carried_lexicon
from voxgrad.store.artifact import Artifact
from voxgrad.store.layout import Reference
from voxgrad.store.store import Store
from voxgrad.text.lexicon import Lexicon
from voxgrad.vocoder.load import choose_vocoder, mel_of

_SPEAKERS = ("voice", "base")


def find_voice(store: Store, ref: str | None) -> Artifact:
    """The voice or base that is named; else the newest voice, and a base only where there is none.

    Raises:
        BadInputError: nothing that can speak answers to it.
    """
    preferred = "voice" if store.list("voice") else "base"
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


def load_synthesizer(
    store: Store,
    voice: str | None,
    vocoder: str | None,
    lexicon: Path | None,
    emit: Emit = ignore,
    compile_for: SynthesisSpec | None = None,
) -> Synthesizer:
    """Find and load a voice with its vocoder.

    Args:
        store: where they are.
        voice: a reference to a voice or a base; None means the newest.
        vocoder: a reference, or ``griffinlim``; None means the newest that fits.
        lexicon: pronunciations, which go before those of the voice, and these before the store's.
        emit: called with a remark where no vocoder fits.
        compile_for: settings for which the score network is compiled, if it shall be.

    Raises:
        BadInputError: something is not there, or does not fit.
        IntegrityError: something is damaged.
    """
    found = find_voice(store, voice)
    chosen = choose_vocoder(store, vocoder, mel_of(found), emit)
    speaker = Synthesizer.load(found, chosen, Lexicon.gather(store.home, carried_lexicon(found), lexicon))
    return speaker if compile_for is None else compile_synthesizer(speaker, compile_for, emit)
