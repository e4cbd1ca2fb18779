"""Whose voice it is, and why it may be used: the statement that travels with a dataset to voice and speech."""

from voxgrad.errors import BadInputError
from voxgrad.transcripts.registry import one_line


def agreed(speaker: str | None, words: str) -> str:
    """A speaker's own statement.

    >>> agreed("Ann Lee", "I allow Bob to clone my voice for his audio books.")
    'Ann Lee: I allow Bob to clone my voice for his audio books.'

    Raises:
        BadInputError: no speaker is named, or nothing is said.
    """
    if speaker is None or not speaker.strip():
        raise BadInputError(
            "a statement of consent needs the speaker's name", "Give the speaker's name with --speaker NAME."
        )
    return f"{one_line(speaker)}: {_said(words, '--consent')}"


def not_needed(why: str) -> str:
    """The statement that no consent is needed, and why.

    >>> not_needed("public domain")
    'not needed: public domain'

    Raises:
        BadInputError: nothing is said.
    """
    return f"not needed: {_said(why, '--no-consent-needed')}"


MY_OWN = "my own voice"


def is_own(consent: str | None) -> bool:
    """Whether whoever prepared a dataset stated that the voice is their own.

    >>> is_own(not_needed(MY_OWN)), is_own(agreed("Ann", "My own voice is not for sale.")), is_own(None)
    (True, False, False)
    """
    return consent == not_needed(MY_OWN)


def require(consent: str | None, dataset: str, name: str) -> None:
    """Check that a dataset may become a voice.

    Raises:
        BadInputError: there is no statement that its voice may be cloned; the hint says how to add one.
    """
    if consent is None:
        raise BadInputError(
            f"dataset {dataset} has no statement that its voice may be cloned",
            f'State it: voxgrad prepare DIR --name {name} --no-consent-needed "my own voice", '
            'or --consent "what the speaker agreed to" --speaker NAME.',
        )


def _said(words: str, option: str) -> str:
    if not (line := one_line(words)):
        raise BadInputError(f"{option} is empty", 'Write a sentence, such as "my own voice".')
    return line
