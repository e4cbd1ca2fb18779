"""What `prepare` says of what it found."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from statistics import median

from voxgrad.events import Emit, Said, counted
from voxgrad.preparation.duplicates import Duplicates
from voxgrad.preparation.quality_checks import Verdict
from voxgrad.preparation.recording import PreparedClip
from voxgrad.preparation.speaker_clusters import Voices
from voxgrad.text.pronounce import pronounce
from voxgrad.transcripts.beside import BESIDE
from voxgrad.transcripts.formats import Problem, Transcripts

UNKNOWN = "unknown.txt"
_SHOWN = 20  # rejections that are reported one by one
_WARNED = 8
_WORDS_SHOWN = 40
_FEWEST_DECAYS = 8
_ROOM_SECONDS = 0.33  # of speech in a dry room it is 0.15 to 0.25


def report_form(found: Transcripts, emit: Emit) -> None:
    """In what form the texts were found, and what else was there; where nothing was, the error says so."""
    if not found.entries:
        return
    as_encoded = "" if found.encoding == "UTF-8" else f", read as {found.encoding}"
    where = f"{found.source}: " if found.source else ""
    if found.form == BESIDE and not found.source:
        emit(Said(f"{found.texts} texts beside their recordings", "detail"))
    else:
        emit(Said(f"{where}{found.texts} texts in the form {found.form}{as_encoded}"))
    if found.others:
        others = ", ".join(found.others)
        emit(Said(f"there too, and not read: {others}; --format or --transcripts chooses"))
    if found.unlisted:
        emit(Said(f"{found.unlisted} recordings of the folder are not in {found.source}"))
    for notice in found.notices:
        emit(Said(notice, "warning"))


def report_problems(problems: Sequence[Problem], emit: Emit) -> None:
    """What was left out."""
    for problem in problems[:_SHOWN]:
        emit(Said(f"left out {problem.id}: {problem.reason}", "warning"))
    if len(problems) > _SHOWN:
        emit(Said(f"left out {len(problems) - _SHOWN} more; see rejected.jsonl of the dataset", "warning"))


def report_warnings(verdicts: dict[str, Verdict], emit: Emit) -> None:
    """What was kept with a warning: doubtful texts one by one, all else counted."""
    warned = {name: verdict for name, verdict in verdicts.items() if verdict.word == "warning"}
    doubtful = {name: one for name, one in warned.items() if one.doubt is not None and one.doubt.reason}
    worst = sorted(doubtful.items(), key=lambda item: (-_deviations(item[1]), item[0]))
    for name, verdict in worst[:_WARNED]:
        emit(Said(f"{name}: {verdict.reasons[-1]}", "warning"))
    if len(worst) > _WARNED:
        emit(
            Said(
                f"{counted(len(worst) - _WARNED, 'more texts')} may be wrong; see report.html of the dataset",
                "warning",
            )
        )
    others = [(name, verdict) for name, verdict in warned.items() if name not in doubtful]
    for name, verdict in others[:3]:
        emit(Said(f"{name}: {verdict.reasons[0]}", "warning"))
    if len(others) > 3:
        emit(
            Said(
                f"warnings of {counted(len(others) - 3, 'more clips')}; see report.html of the dataset",
                "warning",
            )
        )


def report_duplicates(found: Duplicates, emit: Emit) -> None:
    """Clips that are there more than once, and texts that cannot be of all clips that have them."""
    if found.audio:
        count = sum(len(group) - 1 for group in found.audio)
        first = " and ".join(found.audio[0][:2])
        emit(
            Said(
                f"same audio as another clip: {counted(count, 'clips')}, {first} for one; see report.html",
                "warning",
            )
        )
    if found.texts:
        first = " and ".join(found.texts[0][:2])
        emit(
            Said(
                f"same text for clips of too different length: {counted(len(found.texts), 'texts')}, that of {first} "
                "for one; see report.html",
                "warning",
            )
        )


def report_voices(found: Sequence[Voices], emit: Emit) -> None:
    """Speakers among whose clips there are two voices."""
    for one in found:
        some = ", ".join(one.clips[:3])
        emit(
            Said(
                f"the clips of {one.speaker} seem to be of two voices: {len(one.clips)} of {one.of} sound like "
                f"another, such as {some}; name the speakers in the list, or take them out",
                "warning",
            )
        )


def report_rooms(made: Sequence[PreparedClip], emit: Emit) -> None:
    """What noise suppression did, and rooms that sound on."""
    before = [one.record["snr_db_before"] for one in made if "snr_db_before" in one.record]
    if before:
        after = [one.record["measures"]["snr_db"] for one in made if "snr_db_before" in one.record]
        emit(
            Said(
                f"noise suppressed: {median(before):.0f} dB of signal to noise before, {median(after):.0f} dB after"
            )
        )
    for speaker, seconds in reverberant(made).items():
        emit(
            Said(
                f"the room of {speaker} sounds on for {seconds:.1f} s (T60), and the voice will have it too; "
                "record nearer to the microphone, or among soft furniture",
                "warning",
            )
        )


def reverberant(made: Sequence[PreparedClip]) -> dict[str, float]:
    """The median T60 in seconds of the speakers whose room is heard."""
    times: dict[str, list[float]] = {}
    for one in made:
        times.setdefault(one.clip.speaker, []).extend(one.record.get("decay_seconds", ()))
    return {
        speaker: round(median(found), 2)
        for speaker, found in times.items()
        if len(found) >= _FEWEST_DECAYS and median(found) > _ROOM_SECONDS
    }


def _deviations(verdict: Verdict) -> float:
    return 0.0 if verdict.doubt is None else verdict.doubt.deviations


def report_unknown(unknown: Counter[str], emit: Emit) -> None:
    """Words that no dictionary has."""
    if not unknown:
        return
    words = [f"{word} ({count})" for word, count in by_count(unknown)]
    rest = f" and {len(words) - _WORDS_SHOWN} more" if len(words) > _WORDS_SHOWN else ""
    listed = textwrap.fill(
        ", ".join(words[:_WORDS_SHOWN]) + rest, 78, initial_indent="  ", subsequent_indent="  "
    )
    count = "1 word is" if len(words) == 1 else f"{len(words)} words are"
    mend = f"Mend them in {UNKNOWN} of the dataset, and give that with --lexicon."
    emit(Said(f"{count} in no dictionary, pronunciation guessed:\n{listed}\n  {mend}", "warning"))


def lexicon_template(unknown: Counter[str]) -> str:
    """A lexicon of guesses, the most frequent words first."""
    lines = [f"{word}  {' '.join(pronounce(word).phones)}  # {count}\n" for word, count in by_count(unknown)]
    return (
        "# Words that no dictionary has, with a guess at each and the number of texts that have it.\n"
        "# Mend the phones, leave out what is right, and prepare again with --lexicon and this file.\n"
        + "".join(lines)
    )


def by_count(unknown: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first."""
    return sorted(unknown.items(), key=lambda item: (-item[1], item[0]))
