"""A text and a voice → speech."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from voxgrad import pictures
from voxgrad.acoustic import Acoustic, load_acoustic
from voxgrad.audio.io import Waveform, write_audio
from voxgrad.errors import BadInputError
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.model.gradtts import Synthesis
from voxgrad.specs import SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store
from voxgrad.text.characters import dropped
from voxgrad.text.lexicon import LEXICON, Lexicon, refuse_unknown
from voxgrad.text.tokens import Encoded, encode, require_unicode
from voxgrad.vocoder.base import Vocoder
from voxgrad.vocoder.resolve import ready

VERSION = 2
SOUND = "speech.wav"
_TASK = "say"
_PEAK = 0.99


@dataclass(frozen=True)
class _Spoken:
    text: Encoded
    synthesis: Synthesis
    waveform: Waveform


def say(
    store: Store,
    text: str,
    voice: Artifact,
    vocoder: Artifact | None,
    *,
    name: str,
    settings: SynthesisSpec,
    lexicon: Path | None = None,
    strict: bool = False,
    seed: int,
    emit: Emit,
) -> Artifact:
    """Speaks a text, or finds the speech that the same work made before.

    Args:
        store: where the speech goes.
        text: written English.
        voice: a voice or a base.
        vocoder: None for Griffin-Lim, which needs no weights.
        name: of the speech artifact.
        settings: steps, temperature, speed.
        lexicon: pronunciations, which go before those of the voice, and these before the store's.
        strict: refuse words that no dictionary has.
        seed: of all noise.
        emit: told of progress.

    Raises:
        BadInputError: the text or a lexicon cannot be read, voice and vocoder do not fit, or strict found unknown
            words.
    """
    require_unicode(text)
    words = Lexicon.gather(store.home, _carried(voice), lexicon)
    if not_read := dropped(text):
        emit(Said(f"not read: {' '.join(not_read)}", "warning"))
    parents = {"voice": voice, **({"vocoder": vocoder} if vocoder is not None else {})}
    known_by = {role: parent.as_parent() for role, parent in parents.items()}
    resolved = settings.model_dump()
    inputs = {"text": text, "seed": seed, "name": name, **words.settings}
    key = fingerprint("say", VERSION, resolved, known_by, inputs)
    if (known := store.matching("speech", key)) is not None:
        _tell_unknown(known.manifest.metrics["unknown_words"], emit, strict=strict)
        emit(Said(f"nothing changed since {known.ref}", "detail"))
        return known
    acoustic = load_acoustic(voice)
    encoded = encode(_finished(text), acoustic.spec.text, words)
    _tell_unknown(encoded.unknown, emit, strict=strict)
    spoken = _speak(acoustic, ready(vocoder, acoustic.spec.mel, str(voice)), encoded, settings, seed, emit)
    mel = spoken.synthesis.mel[0]
    with store.stage("speech", name) as draft:
        write_audio(draft.directory / SOUND, spoken.waveform)
        pictures.draw_mel(draft.directory / "mel.png", mel.numpy(), acoustic.spec.mel, text)
        (draft.directory / "timings.json").write_text(_timings(spoken, acoustic), encoding="utf-8")
        return draft.publish(
            fingerprint=key,
            parents=known_by,
            settings={
                "text": text,
                "normalised": spoken.text.normalised,
                "synthesis": resolved,
                **words.settings,
                "synthetic": True,
            },
            seed=seed,
            device=f"cpu, {torch.get_num_threads()} threads",
            tools={"torch": torch.__version__},
            metrics={
                "seconds": round(spoken.waveform.seconds, 4),
                "tokens": len(spoken.text.tokens),
                "unknown_words": list(spoken.text.unknown),
            },
            consent=voice.manifest.consent,
            licence=voice.manifest.licence,
        )


def _carried(voice: Artifact) -> Path | None:
    """The lexicon that a voice brings with it."""
    return voice.path(LEXICON) if any(file.path == LEXICON for file in voice.manifest.files) else None


def _tell_unknown(words: Sequence[str], emit: Emit, *, strict: bool) -> None:
    if strict:
        refuse_unknown(words)
    if words:
        emit(Said(f"not in the dictionary, pronounced by guess: {', '.join(words)}", "warning"))


def _speak(
    acoustic: Acoustic, vocoder: Vocoder, encoded: Encoded, settings: SynthesisSpec, seed: int, emit: Emit
) -> _Spoken:
    emit(Began(_TASK, 2, "parts"))
    tokens = torch.tensor([encoded.tokens])
    synthesis = acoustic.model.synthesize(
        tokens,
        torch.tensor([tokens.shape[1]]),
        settings,
        torch.Generator().manual_seed(seed),
        torch.tensor([acoustic.row]),
        acoustic.spec.duration_scale,
    )
    emit(Advanced(_TASK, 1, "mel"))
    # A poorly trained decoder can leave the range of sound, where a vocoder's exponential overflows.
    samples = vocoder(synthesis.mel.clamp(*acoustic.spec.mel.range))[0].numpy()
    emit(Advanced(_TASK, 2, "sound"))
    emit(Ended(_TASK))
    if not np.isfinite(samples).all():
        raise BadInputError(
            "the voice gave numbers that are not finite", "Fine-tune it again, or use another."
        )
    peak = float(np.abs(samples).max())
    if peak > _PEAK:  # rather a little quieter than clipped
        samples = samples * np.float32(_PEAK / peak)
    return _Spoken(encoded, synthesis, Waveform(samples, acoustic.spec.mel.sample_rate))


def _finished(text: str) -> str:
    """A text with a full stop where it ends in a word: voices learn from sentences, and rush through anything else.

    >>> _finished("hello"), _finished("Hello?")
    ('hello.', 'Hello?')
    """
    stripped = text.rstrip()
    return f"{stripped}." if stripped[-1:].isalnum() else text


def _timings(spoken: _Spoken, acoustic: Acoustic) -> str:
    """When every word begins and ends, in seconds."""
    border = [0, *spoken.synthesis.durations[0].cumsum(0).tolist()]
    second = acoustic.spec.mel.seconds_per_frame
    words = [
        {
            "word": w.word,
            "start": round(border[w.start] * second, 4),
            "stop": round(border[w.stop] * second, 4),
        }
        for w in spoken.text.words
    ]
    return json.dumps(words, ensure_ascii=False, indent=1) + "\n"
