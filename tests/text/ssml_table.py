"""What an SSML document comes to, on one line: for the table of snippets in ssml.tsv."""

from voxgrad.errors import BadInputError
from voxgrad.settings import TextSpec
from voxgrad.text.lexicon import NONE
from voxgrad.text.marked_text import PLAIN, Mark, Prosody, Sound
from voxgrad.text.passages import Passage, segment_passages
from voxgrad.text.ssml import read_script


def outcome(ssml: str) -> str:
    """Passages between bars: words, ``[1s]`` and ``[x0.5]`` for pauses, ``@name`` for marks, ``(…)`` for prosody."""
    try:
        script = read_script(ssml)
        found = [
            _passage(one) if isinstance(one, Passage) else _sound(one)
            for one in segment_passages(script.items, lambda _: (TextSpec(), NONE))
        ]
    except BadInputError as error:
        return f"ERROR {error.message}"
    warnings = "".join(f" !{warning}" for warning in script.warnings)
    return f"{' | '.join(found)}{warnings}"


def _passage(passage: Passage) -> str:
    words = [word.word for word in passage.encoded.words]
    parts = []
    current = PLAIN
    for at in range(len(words) + 1):
        parts += [_event(event) for index, event in passage.events if index == at]
        for index, prosody in passage.prosodies:
            if index == at < len(words) and prosody != current:
                parts.append(_prosody(prosody))
                current = prosody
        parts += words[at : at + 1]
    voice = "" if passage.voice is None else f"{passage.voice}: "
    return f"{voice}{' '.join(parts)} /{passage.ends.value}"


def _event(event: object) -> str:
    if isinstance(event, Mark):
        return f"@{event.name}"
    seconds = f"{event.seconds:g}s" if event.seconds or not event.sentences else ""
    return f"[{seconds}{f'x{event.sentences:.3g}' if event.sentences else ''}]"


def _prosody(prosody: Prosody) -> str:
    parts = {
        "rate ": None if prosody.rate == 1 else f"{prosody.rate:.3g}",
        "pitch ": f"{prosody.semitones:+.3g}st" if prosody.semitones else None,
        "": f"{prosody.hertz:+g}Hz" if prosody.hertz else None,
        "at ": None if prosody.target is None else f"{prosody.target:g}Hz",
        "volume ": f"{prosody.decibels:+.3g}dB" if prosody.decibels else None,
    }
    return f"({', '.join(name + value for name, value in parts.items() if value is not None)})"


def _sound(sound: Sound) -> str:
    level = f" {sound.decibels:+g}dB" if sound.decibels else ""
    return f"<{sound.file}{level}>" if sound.file else f"<tone {sound.seconds:.2f}s>"
