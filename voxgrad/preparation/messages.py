"""What `prepare` says of what it found."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from voxgrad.events import Emit, Said, counted
from voxgrad.preparation.dataset_files import PROBLEMS, UNKNOWN, JudgedRecordings, by_count
from voxgrad.preparation.quality_checks import Duplicates, MixedVoices, Verdict
from voxgrad.preparation.recording import PreparedClip
from voxgrad.transcripts.beside import BESIDE
from voxgrad.transcripts.formats import Problem, Transcripts

_SHOWN = 20  # rejections that are reported one by one
_WARNED = 8
_OTHERS = 3
_NAMES_SHOWN = 20
_WORDS_SHOWN = 40
_FEWEST_DECAYS = 8
_ROOM_SECONDS = 0.33  # of speech in a dry room it is 0.15 to 0.25


def report_form(transcripts: Transcripts, emit: Emit) -> None:
    """In what form the texts were found, and what else was there; where nothing was, the error says so."""
    if not transcripts.entries:
        return
    as_encoded = "" if transcripts.encoding == "UTF-8" else f", read as {transcripts.encoding}"
    where = f"{transcripts.source}: " if transcripts.source else ""
    if transcripts.form == BESIDE and not transcripts.source:
        emit(Said(f"{transcripts.texts} texts beside their recordings", "detail"))
    else:
        emit(Said(f"{where}{transcripts.texts} texts in the form {transcripts.form}{as_encoded}"))
    if transcripts.others:
        others = ", ".join(transcripts.others)
        emit(Said(f"also found, but not used: {others}; choose another with --format or --transcripts"))
    if transcripts.unlisted:
        emit(Said(f"{transcripts.unlisted} recordings of the folder are not in {transcripts.source}"))
    _warn(transcripts.notices, emit)


def report_recordings(judged: JudgedRecordings, emit: Emit) -> None:
    """What was left out, what is kept with a warning, and what is odd about all of them together."""
    _warn(_problems(judged.problems), emit)
    _warn(_duplicates(judged.duplicates), emit)
    _warn(map(two_voices, judged.mixed_voices), emit)
    if noise := _suppressed_noise(judged.made):
        emit(Said(noise))
    for speaker, seconds in reverberant(judged.made).items():
        room = f"the room of {speaker} echoes for {seconds:.1f} s (T60), and so will the voice"
        _warn([f"{room}; record closer to the microphone, or in a room with soft furniture"], emit)
    _warn(_kept_with_warning(judged.verdicts), emit)
    _warn(_unknown_words(judged.unknown), emit)


def _warn(sentences: Iterable[str], emit: Emit) -> None:
    for sentence in sentences:
        emit(Said(sentence, "warning"))


def _problems(problems: Sequence[Problem]) -> Iterator[str]:
    for problem in problems[:_SHOWN]:
        yield f"left out {problem.id}: {problem.reason}"
    if len(problems) > _SHOWN:
        yield f"left out {len(problems) - _SHOWN} more; see {PROBLEMS} in the dataset"


def _kept_with_warning(verdicts: dict[str, Verdict]) -> Iterator[str]:
    """Doubtful texts one by one, all else counted."""
    warned = {name: verdict for name, verdict in verdicts.items() if verdict.word == "warning"}
    doubtful = {name: verdict for name, verdict in warned.items() if verdict.doubt and verdict.doubt.reason}
    worst = sorted(doubtful.items(), key=lambda item: (-item[1].deviations, item[0]))
    for name, verdict in worst[:_WARNED]:
        yield f"{name}: {verdict.reasons[-1]}"
    if len(worst) > _WARNED:
        yield f"{counted(len(worst) - _WARNED, 'more texts')} may be wrong; see report.html in the dataset"
    others = [(name, verdict) for name, verdict in warned.items() if name not in doubtful]
    for name, verdict in others[:_OTHERS]:
        yield f"{name}: {verdict.reasons[0]}"
    if len(others) > _OTHERS:
        yield f"{counted(len(others) - _OTHERS, 'more clips')} have warnings; see report.html in the dataset"


def _duplicates(duplicates: Duplicates) -> Iterator[str]:
    if duplicates.audio:
        clips = counted(sum(len(group) - 1 for group in duplicates.audio), "clips")
        pair = " and ".join(duplicates.audio[0][:2])
        yield f"same audio as another clip: {clips}, such as {pair}; see report.html"
    if duplicates.texts:
        texts, pair = counted(len(duplicates.texts), "texts"), " and ".join(duplicates.texts[0][:2])
        yield f"same text for clips of very different length: {texts}, such as that of {pair}; see report.html"


def two_voices(voices: MixedVoices) -> str:
    """A speaker among whose clips there are two voices, in a sentence."""
    some = ", ".join(voices.clips[:_NAMES_SHOWN]) + (" …" if len(voices.clips) > _NAMES_SHOWN else "")
    return (
        f"the clips of {voices.speaker} seem to have two voices: {len(voices.clips)} of {voices.of} sound like "
        f"another ({some}); name the speakers in the list, or take these clips out"
    )


def _suppressed_noise(made: Sequence[PreparedClip]) -> str:
    records = [prepared.record for prepared in made if "snr_db_before" in prepared.record]
    if not records:
        return ""
    before = median(record["snr_db_before"] for record in records)
    after = median(record["measures"]["snr_db"] for record in records)
    return f"noise suppressed: {before:.0f} dB before, {after:.0f} dB after"


def reverberant(made: Sequence[PreparedClip]) -> dict[str, float]:
    """The median T60 in seconds of the speakers whose room is heard."""
    times: dict[str, list[float]] = {}
    for prepared in made:
        times.setdefault(prepared.clip.speaker, []).extend(prepared.record.get("decay_seconds", ()))
    return {
        speaker: round(median(found), 2)
        for speaker, found in times.items()
        if len(found) >= _FEWEST_DECAYS and median(found) > _ROOM_SECONDS
    }


def _unknown_words(unknown: Counter[str]) -> Iterator[str]:
    if not unknown:
        return
    words = [f"{word} ({count})" for word, count in by_count(unknown)]
    rest = f" and {len(words) - _WORDS_SHOWN} more" if len(words) > _WORDS_SHOWN else ""
    listed = textwrap.fill(", ".join(words[:_WORDS_SHOWN]) + rest, 78, initial_indent="  ", subsequent_indent="  ")
    count = "1 word is" if len(words) == 1 else f"{len(words)} words are"
    mend = f"Correct them in {UNKNOWN} in the dataset, and pass that file with --lexicon."
    yield f"{count} in no dictionary; the pronunciation was guessed:\n{listed}\n  {mend}"
