"""Clone a voice from a folder of recordings with Grad-TTS, on the machine that you have.

import voxgrad

alice = voxgrad.load("alice")
alice.say("hello", seed=1).save("hello.wav")
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from voxgrad.voice.load import EngineName
    from voxgrad.voice.voice import Voice

__version__ = "0.1.0"


def load(
    voice: str | None = None,
    *,
    vocoder: str | None = None,
    lexicon: "Path | None" = None,
    home: "str | Path | None" = None,
    engine: "EngineName" = "auto",
) -> "Voice":
    """Load a voice, ready to speak.

    Args:
        voice: a reference such as ``alice`` or ``alice@v3``, of a voice or a base; None means the newest.
        vocoder: a reference, or ``griffinlim``; None means the newest that fits.
        lexicon: a file of pronunciations.
        home: the store's folder; None means ``$VOXGRAD_HOME``, or the user's data folder.
        engine: ``torch``, ``onnx`` for ONNX Runtime, or ``auto``, which is ONNX Runtime where it can speak with the
            voice, else torch; see docs/anywhere.md.

    Raises:
        BadInputError: a reference does not exist, or voice and vocoder do not fit.
        IntegrityError: voice or vocoder is damaged.
    """
    # Nothing is imported before it is needed: torch takes seconds.
    import warnings  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from voxgrad.events import Said  # noqa: PLC0415
    from voxgrad.store import Store  # noqa: PLC0415
    from voxgrad.voice.load import load_voice  # noqa: PLC0415

    def warn(event: object) -> None:
        if isinstance(event, Said) and event.level == "warning":
            warnings.warn(event.text, stacklevel=2)

    store = Store.open(None if home is None else Path(home))
    return load_voice(store, voice, vocoder, lexicon, warn, engine=engine).ready()
