"""`--like` of `say` and `convert`: recordings become a voice, unless they did before."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError
from voxgrad.files import explain_os_errors, sha256_of

_DIGITS = 6


def chosen_voice(
    session: Session, voice: str | None, like: Path | None, language: str | None, no_consent_needed: str | None
) -> str | None:
    """The reference of the voice that speaks: ``voice``, or a voice of the recordings ``like``.

    Args:
        session: whose store keeps dataset and voice.
        voice: None where none is named.
        like: a file, with its text beside it or not, or a folder of them. The voice that they made before is found.
        language: that is spoken, and that of the recordings; None and ``auto``: they are in English.
        no_consent_needed: why none is, as for `prepare`; a person at the terminal is asked.

    Raises:
        BadInputError: there are no such recordings, they cannot be used, or nobody said that the voice may be cloned.
    """
    if no_consent_needed is not None and like is None:
        raise BadInputError("--no-consent-needed belongs to --like", "Leave it out.")
    if like is None:
        return voice
    if voice is not None:
        raise BadInputError("--voice and --like cannot be used together", "Give one of them.")
    return _cloned(session, like, language, no_consent_needed)


def _cloned(session: Session, recordings: Path, language: str | None, no_consent_needed: str | None) -> str:
    from voxgrad.cli.prepare import statement
    from voxgrad.text.languages import AUTO, known_language
    from voxgrad.text.symbols import ENGLISH

    if not recordings.exists():
        raise BadInputError(f"there is no file or folder {recordings}", "Give a recording, or a folder of recordings.")
    files = _files(recordings.resolve())
    name = _name(recordings.resolve(), files)
    if any(voice.name == name for voice in session.store.list("voice")):
        return name
    consent = statement(session, recordings, None, None, no_consent_needed)
    if consent is None:
        raise BadInputError(
            f"nobody has said that the voice of {recordings} may be cloned",
            'State why: --no-consent-needed "my own voice"; for the consent of someone else, use voxgrad prepare.',
        )
    spoken = ENGLISH if language is None or language == AUTO else known_language(language)
    session.loading()
    from voxgrad.clone import clone
    from voxgrad.preparation.speech_recognition import best_recogniser
    from voxgrad.presets import load_preset
    from voxgrad.steps.prepare import Options

    recogniser = best_recogniser(spoken, download=True)
    if recogniser is None and recordings.is_file() and len(files) == 1:
        raise BadInputError(
            f"{recordings} has no text beside it, and no recogniser is installed",
            f"Write what is said into {recordings.with_suffix('.txt')}, or: pip install 'voxgrad[whisper]'.",
        )
    options = Options(recogniser=recogniser, consent=consent)
    with _folder_of(recordings, files) as folder, session.progress() as progress:
        clone(
            session.store,
            folder,
            name=name,
            language=spoken,
            preset=load_preset("instant"),
            options=options,
            emit=progress.emit,
        )
    session.tell(f"{recordings} is the voice {name} now; --voice {name} speaks with it too")
    return name


def _files(recordings: Path) -> list[Path]:
    """All files of a folder; or a recording, and what is called as it is, such as its text."""
    if recordings.is_dir():
        return sorted(path for path in recordings.rglob("*") if path.is_file())
    return sorted(path for path in recordings.parent.iterdir() if path.is_file() and path.stem == recordings.stem)


def _name(recordings: Path, files: Sequence[Path]) -> str:
    """Changes with the content of the recordings and texts: ``me-3f9a12``."""
    from voxgrad.store.artifact import plain_name

    top = recordings if recordings.is_dir() else recordings.parent
    with explain_os_errors(f"read {recordings}"):
        content = "\n".join(f"{path.relative_to(top).as_posix()} {sha256_of(path)}" for path in files)
    return f"{plain_name(recordings.stem)[:48]}-{sha256(content.encode()).hexdigest()[:_DIGITS]}"


@contextmanager
def _folder_of(recordings: Path, files: Sequence[Path]) -> Iterator[Path]:
    """The folder, or for one recording a temporary one with it."""
    if recordings.is_dir():
        yield recordings
        return
    with TemporaryDirectory() as temporary:
        with explain_os_errors(f"copy {recordings}"):
            for path in files:
                shutil.copy2(path, temporary)
        try:
            yield Path(temporary)
        except BadInputError as error:
            raise BadInputError(error.message.replace(temporary, str(recordings)), error.hint) from error
