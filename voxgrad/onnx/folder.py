"""The files that go with a graph, so that other programs can speak with it: tokens, pronunciations, settings."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from voxgrad.errors import BadInputError
from voxgrad.files import explain_os_errors, sync_directory
from voxgrad.onnx.model_file import GraphDescription
from voxgrad.text.dictionary import words
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.pronounce import find
from voxgrad.text.symbols import BLANK, CHARACTER_IDS, PHONE_IDS, PUNCTUATION, SPACE

MODEL, TOKENS, LEXICON, CONFIG, README = "model.onnx", "tokens.txt", "lexicon.txt", "config.json", "README.md"
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


def graph_files(model: bytes, description: GraphDescription, lexicon: Lexicon) -> dict[str, bytes]:
    """A graph with what `docs/anywhere.md` reads beside it, by name."""
    return {
        MODEL: model,
        TOKENS: _tokens(0).encode(),
        LEXICON: _lexicon(lexicon).encode(),
        CONFIG: (json.dumps(_config(description), indent=1, sort_keys=True) + "\n").encode(),
    }


def sherpa_files(model: bytes, description: GraphDescription, lexicon: Lexicon) -> dict[str, bytes]:
    """The files that sherpa-onnx wants of a VITS model, and how to start it, by name."""
    readme = _SHERPA_README.format(name=description.name, terms=_terms(description))
    return {
        MODEL: model,
        # sherpa-onnx's ids are one higher: id 0 is the blank.
        TOKENS: _tokens(1).encode(),
        LEXICON: _lexicon(lexicon).encode(),
        README: readme.encode(),
        "say.py": _SHERPA_SAY.encode(),
    }


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write a folder, complete or not at all.

    Raises:
        BadInputError: something lies there.
        EnvironmentFailureError: the disk refuses.
    """
    beside = folder.with_name(f".{folder.name}.{uuid4().hex}")
    with explain_os_errors(f"write {folder.name}"):
        try:
            beside.mkdir()
            for name, content in files.items():
                (beside / name).write_bytes(content)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
            beside.rename(folder)
            sync_directory(folder.absolute().parent)
        finally:
            if beside.is_dir():
                for path in beside.iterdir():
                    path.unlink()
                beside.rmdir()


def write_one(path: Path, content: bytes) -> None:
    """Write a file, complete or not at all; one that lies there is replaced.

    Raises:
        EnvironmentFailureError: the disk refuses.
    """
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    with explain_os_errors(f"write {path.name}"):
        try:
            with beside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def check_folder(folder: Path) -> None:
    """See that a folder can be written before work is spent on it.

    Raises:
        BadInputError: something lies there already, or its parent is missing.
    """
    if not folder.parent.is_dir():
        raise BadInputError(f"the folder {folder.parent} does not exist", "Create it or name another.")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise BadInputError(f"{folder} exists already", "Name a new folder, or remove it first.")


def _tokens(offset: int) -> str:
    ids = {mark: CHARACTER_IDS[mark] for mark in PUNCTUATION} | PHONE_IDS
    lines = [f"{symbol} {index + offset}" for symbol, index in ids.items() if symbol != " "]
    # A line of nothing but a number is the space.
    return "\n".join([*lines, f" {SPACE + offset}"]) + "\n"


def _lexicon(lexicon: Lexicon) -> str:
    own = dict(lexicon.entries)
    return "".join(
        f"{word} {' '.join(phones)}\n" for word, phones in sorted({**dict(_known()), **own}.items())
    )


def _known() -> Iterator[tuple[str, tuple[str, ...]]]:
    for word in words():
        found = find(word)
        if found is not None and found.phones:
            yield word, found.phones


def _config(description: GraphDescription) -> dict[str, Any]:
    acoustic = description.acoustic
    several = acoustic.model.n_spks > 1
    return {
        "name": description.name,
        "sample_rate": acoustic.mel.sample_rate,
        "temperature": acoustic.model.temperature,
        "n_feats": acoustic.model.n_feats,
        "add_blank": acoustic.text.add_blank,
        "blank": BLANK,
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


def _terms(description: GraphDescription) -> str:
    named = {"Licence": description.licence, "Consent": description.consent}
    return "".join(f"{name}: {value}\n" for name, value in named.items() if value is not None)
