"""espeak-ng, which writes the words of many languages in IPA; through the library that espeakng-loader brings.

Dunn and others, https://github.com/espeak-ng/espeak-ng (GPL-3.0). It is loaded when a text of another language than
English is first read, and installed by the extra ``languages``.
"""

import ctypes
import re
from functools import cache, lru_cache
from importlib.util import find_spec
from threading import Lock
from typing import Any, Final

from voxgrad.errors import BadInputError, EnvironmentFailureError

_NO_SOUND, _NO_EXIT = 2, 0x8000
_UTF_8: Final = 1
_IPA_WITH_TIES: Final = 0x82 | 0x361 << 8
"""Phonemes in IPA; the letters of one phoneme are joined by U+0361."""
_OTHER_LANGUAGE: Final = re.compile(r"\([^()]*\)")
"""Where espeak-ng says that it reads a word by the rules of another language."""
_NOT_IPA: Final = re.compile("[0-9A-Z_#?*;:|]")
"""Left where a phoneme has no letter of IPA, as in German "aneinander"."""
_LOCK: Final = Lock()
"""The library reads one text at a time."""


def is_installed() -> bool:
    """Whether the package that brings the library is there."""
    return find_spec("espeakng_loader") is not None


@cache
def _library() -> Any:
    if not is_installed():
        message = "languages other than English need espeak-ng, which is not installed"
        raise BadInputError(message, "Install it: pip install 'voxgrad[languages]'.")
    import espeakng_loader  # noqa: PLC0415 - of an extra

    try:
        library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        data = str(espeakng_loader.get_data_path()).encode()
        rate = library.espeak_Initialize(_NO_SOUND, 0, data, _NO_EXIT)
    except OSError as error:
        raise EnvironmentFailureError(f"espeak-ng cannot be loaded: {error}", "Reinstall espeakng-loader.") from error
    if rate <= 0:
        raise EnvironmentFailureError("espeak-ng does not find its data", "Reinstall espeakng-loader.")
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
    return library


@lru_cache(maxsize=4096)
def transcribe(text: str, voice: str) -> tuple[str, ...]:
    """A text in IPA, a string for every word as espeak-ng parts them.

    A number is several words, and words that are said as one are one.

    Args:
        text: of one clause, in the language's own spelling.
        voice: espeak-ng's name of a language, such as ``pt-br``.

    Raises:
        BadInputError: espeak-ng is not installed, or has no such language.
        EnvironmentFailureError: the library cannot be loaded.
    """
    with _LOCK:
        library = _library()
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise BadInputError(f"espeak-ng has no language {voice}", "`espeak-ng --voices` lists what it has.")
        position = ctypes.c_char_p(text.replace("\0", " ").encode("utf-8", "ignore"))
        clauses = []
        while position.value:
            clause = library.espeak_TextToPhonemes(ctypes.byref(position), _UTF_8, _IPA_WITH_TIES)
            clauses.append((clause or b"").decode("utf-8", "ignore"))
    said = _NOT_IPA.sub("", _OTHER_LANGUAGE.sub(" ", " ".join(clauses)))
    return tuple(said.split())
