"""A voice with its vocoder as an ONNX graph: export, for other programs too, and import."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said
from voxgrad.files import atomic_folder, atomic_write, check_file, check_folder
from voxgrad.onnx.file import GraphDescription, check, described, read
from voxgrad.onnx.runtime import KIND, MODEL
from voxgrad.settings import OnnxSpec
from voxgrad.store.artifact import Artifact, check_name, plain_name
from voxgrad.store.manifest import Parent, fingerprint
from voxgrad.store.store import Store
from voxgrad.text.dictionary import words
from voxgrad.text.ipa import IPA_IDS
from voxgrad.text.languages import blank_of, language_of, languages, name_of
from voxgrad.text.lexicon import LEXICON, Lexicon
from voxgrad.text.pronounce import find
from voxgrad.text.symbols import CHARACTER_IDS, ENGLISH, PHONE_IDS, PUNCTUATION, SPACE
from voxgrad.voice.load import find_lexicon, find_vocoder, require_torch
from voxgrad.weights import not_spoken, own_language, taught

SUFFIX, TOKENS, IMPORT_VERSION = ".onnx", "tokens.txt", 1
_SHERPA_README: Final = """\
# {name}, for sherpa-onnx

    pip install sherpa-onnx soundfile
    python say.py "Hello there."
    sherpa-onnx-offline-tts --vits-model=model.onnx --vits-lexicon=lexicon.txt --vits-tokens=tokens.txt \\
        --output-filename=hello.wav "Hello there."

{terms}
sherpa-onnx reads words by `lexicon.txt` alone: write numbers and abbreviations as words, and add a line for every word
that is not in it. Its `noise_scale` of 0.667, the default, is this voice's own temperature.
"""
_SHERPA_SAY: Final = """\
import sys
import sherpa_onnx
import soundfile

vits = sherpa_onnx.OfflineTtsVitsModelConfig(model="model.onnx", lexicon="lexicon.txt", tokens="tokens.txt")
speaker = sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=sherpa_onnx.OfflineTtsModelConfig(vits=vits)))
audio = speaker.generate(sys.argv[1])
soundfile.write("hello.wav", audio.samples, audio.sample_rate)
"""


def export_onnx(
    store: Store, voice: Artifact, vocoder: str | None, language: str, target: Path, spec: OnnxSpec, emit: Emit
) -> tuple[int, dict[str, float | None]]:
    """Writes a voice with its vocoder as one graph, which speaks one language and is checked against torch.

    A target that does not end in .onnx is a folder, in which tokens and, for English, pronunciations lie beside the
    graph, as ``docs/anywhere.md`` reads them. A graph is written as it is.

    Returns:
        Bytes of the graph, and how far it is from torch; nothing of a graph that is written as it is.

    Raises:
        BadInputError: the voice cannot become a graph, or does not speak the language; or the target cannot be written.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    single = target.suffix == SUFFIX
    (check_file if single else check_folder)(target)
    agreement: dict[str, float | None] = {}
    if voice.kind == KIND:
        if language != (own := own_language(voice)):
            raise not_spoken(voice, language, (own,))
        content = voice.path(MODEL).read_bytes()
    else:
        require_torch()
        from voxgrad.onnx.export import checked, describe, loaded  # noqa: PLC0415 - it needs torch

        sound, learnt = find_vocoder(store, vocoder, voice, emit), taught(voice, store, language)
        acoustic, model = loaded(voice, sound, learnt)
        assert sound is not None  # noqa: S101 - `loaded` refuses it
        content, found = checked(describe(voice, sound, learnt, acoustic, spec), acoustic, model, emit)
        agreement = found.rounded()
    if single:
        with atomic_write(target) as temporary:
            temporary.write_bytes(content)
    else:
        more = {"config.json": json.dumps(_config(described(content)[0]), indent=1, sort_keys=True) + "\n"}
        if language == ENGLISH:
            more[LEXICON] = _pronunciations(find_lexicon(store, voice))
        _write_folder(target, content, {TOKENS: _token_table(language, 0), **more})
    return len(content), agreement


def export_sherpa(
    store: Store,
    voice: Artifact,
    vocoder: str | None,
    language: str,
    target: Path,
    spec: OnnxSpec,
    speaker: str | None,
    emit: Emit,
) -> int:
    """Writes the folder that sherpa-onnx loads as a VITS model; returns the model's bytes.

    Raises:
        BadInputError: the voice cannot become a graph, or the language is not English; or the target cannot be written.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    if language != ENGLISH:
        raise BadInputError(
            f"sherpa-onnx reads words by a lexicon, and voxgrad has none of {name_of(language)}",
            "Export a graph with --format onnx, or give --language en.",
        )
    check_folder(target)
    if voice.kind == KIND:
        raise BadInputError(
            f"{voice} has inputs that sherpa-onnx does not support", "Use the voice that it was made from."
        )
    require_torch()
    from voxgrad.onnx.export import describe, exported_for_sherpa, loaded, speech_graph  # noqa: PLC0415 - torch

    sound = find_vocoder(store, vocoder, voice, emit)
    acoustic, model = loaded(voice, sound, None)
    assert sound is not None  # noqa: S101 - `loaded` refuses it
    emit(Said(f"making the graph of {voice.ref} for sherpa-onnx"))
    description = describe(voice, sound, None, acoustic, spec)
    graph = speech_graph(acoustic, model, spec)
    content = exported_for_sherpa(graph, spec, description, acoustic.spec.row_of(speaker))
    stated = {"Licence": description.licence, "Consent": description.consent}
    terms = "".join(f"{name}: {value}\n" for name, value in stated.items() if value is not None)
    readme = _SHERPA_README.format(name=description.name, terms=terms)
    texts = {
        TOKENS: _token_table(ENGLISH, 1),  # sherpa-onnx's ids are one higher: id 0 is the blank
        LEXICON: _pronunciations(find_lexicon(store, voice)),
        "README.md": readme,
        "say.py": _SHERPA_SAY,
    }
    _write_folder(target, content, texts)
    return len(content)


def _token_table(language: str, offset: int) -> str:
    """The tokens of a language but for its blank, with ids that are higher by ``offset``."""
    marks = {mark: CHARACTER_IDS[mark] for mark in PUNCTUATION if mark != " "}
    ids = marks | (PHONE_IDS if language == ENGLISH else IPA_IDS)
    lines = [f"{symbol} {index + offset}\n" for symbol, index in ids.items()]
    return "".join(lines) + f" {SPACE + offset}\n"  # a line of nothing but a number is the space


def _pronunciations(lexicon: Lexicon) -> str:
    """Those of all known words of English."""
    known = {word: found.phones for word in words() if (found := find(word)) is not None and found.phones}
    own = {word: phones for word, phones in lexicon.entries if ":" not in word}
    return "".join(f"{word} {' '.join(phones)}\n" for word, phones in sorted({**known, **own}.items()))


def _write_folder(folder: Path, model: bytes, texts: Mapping[str, str]) -> None:
    with atomic_folder(folder) as staged:
        (staged / MODEL).write_bytes(model)
        for name, text in texts.items():
            (staged / name).write_text(text, encoding="utf-8")


def _config(description: GraphDescription) -> dict[str, Any]:
    acoustic = description.acoustic
    several, language = acoustic.model.n_spks > 1, acoustic.text.language
    reader = None if language == ENGLISH else language_of(language)
    return {
        "name": description.name,
        "sample_rate": acoustic.mel.sample_rate,
        "temperature": acoustic.model.temperature,
        "n_feats": acoustic.model.n_feats,
        "add_blank": acoustic.text.add_blank,
        "language": language,
        "espeak": None if reader is None else {"voice": reader.espeak, "phones": reader.phones},
        "blank": blank_of(language),
        "space": SPACE,
        "punctuation": PUNCTUATION.strip(),
        "speakers": acoustic.speakers if several else {},
        "speaker": acoustic.speakers[acoustic.voice] if several else None,
        "onnx": description.spec.model_dump(),
        "licence": description.licence,
        "consent": description.consent,
        "lineage": description.lineage,
        "synthetic": "What this voice says is synthetic speech.",
    }


def import_onnx(store: Store, file: Path, *, name: str | None, trust: bool) -> Artifact:
    """Imports a graph, under the voice's own name unless another is given; nothing of it is run.

    With ``trust``, it may differ from what `export` writes.

    Raises:
        BadInputError: it differs from what `export` writes, or does not describe a voice.
    """
    content = read(file)
    description = described(content)[0] if trust else check(content)
    language = description.acoustic.text.language
    if language not in {ENGLISH, *languages()}:
        raise BadInputError(f"{file.name} speaks {language!r}, which this version cannot read", "Upgrade voxgrad.")
    called = check_name(plain_name(description.name) if name is None else name)
    try:
        parents = {role: Parent.model_validate(description.lineage[role]) for role in ("voice", "vocoder")}
    except (KeyError, ValidationError) as error:
        raise BadInputError(f"{file.name} does not say what it was made from", "Export it again.") from error
    settings = {
        "acoustic": description.acoustic.model_dump(),
        "onnx": description.spec.model_dump(),
        "kind": description.kind,
        "pitch": description.pitch,
        "imported": {"file": file.name, "sha256": hashlib.sha256(content).hexdigest(), "trusted": trust},
    }
    key = fingerprint("import", IMPORT_VERSION, settings, parents, {"name": called})
    if (known := store.matching(KIND, key)) is not None:
        return known
    with store.stage(KIND, called) as staged:
        (staged.directory / MODEL).write_bytes(content)
        return staged.publish(
            fingerprint=key,
            parents=parents,
            settings=settings,
            consent=description.consent,
            licence=description.licence,
        )
