"""The messages of `prepare` about a dataset, and its self-contained report with pictures."""

import io
import math
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from urllib.parse import quote

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxgrad import pictures
from voxgrad.events import Emit, Said, counted, few
from voxgrad.pictures import mel_picture, mp3, template
from voxgrad.preparation import phones
from voxgrad.preparation.dataset_files import AUDIO, PROBLEMS, REJECTED, UNKNOWN, JudgedRecordings
from voxgrad.preparation.quality_checks import Duplicates, MixedVoices, Verdict
from voxgrad.preparation.recording import PreparedClip
from voxgrad.text.languages import name_of
from voxgrad.transcripts.beside import BESIDE
from voxgrad.transcripts.registry import Problem, Transcripts

_SHOWN = 20  # rejections that are reported one by one
_WARNED = 8
_OTHERS = 3
_WORDS_SHOWN = 40
_FEWEST_DECAYS = 8
_ROOM_SECONDS = 0.33  # of speech in a dry room it is 0.15 to 0.25


def report_form(transcripts: Transcripts, emit: Emit) -> None:
    """Report the format of the transcripts and other lists that were found; if there are none, the error says so."""
    if not transcripts.entries:
        return
    as_encoded = "" if transcripts.encoding == "UTF-8" else f", read as {transcripts.encoding}"
    where = f"{transcripts.source}: " if transcripts.source else ""
    if transcripts.form == BESIDE and not transcripts.source:
        emit(Said(f"{transcripts.texts} texts beside their recordings", "detail"))
    else:
        emit(Said(f"{where}{transcripts.texts} texts in the format {transcripts.form}{as_encoded}"))
    if transcripts.others:
        others = ", ".join(transcripts.others)
        emit(Said(f"also found, but not used: {others}; choose another with --format or --transcripts"))
    if transcripts.unlisted:
        emit(Said(f"{transcripts.unlisted} recordings of the folder are not in {transcripts.source}"))
    _warn(transcripts.notices, emit)


def report_recordings(judged: JudgedRecordings, emit: Emit) -> None:
    """Report what was left out, what is kept with a warning, and problems of the whole set."""
    _warn(_problems(judged.problems), emit)
    _warn(_duplicates(judged.duplicates), emit)
    _warn(map(_two_voices, judged.mixed_voices), emit)
    for noise in _suppressed_noise(judged.made):
        emit(Said(noise))
    _warn(_reverberant(judged.made), emit)
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


def _two_voices(voices: MixedVoices) -> str:
    """A speaker among whose clips there are two voices, in a sentence."""
    return (
        f"the clips of {voices.speaker} seem to have two voices: {len(voices.clips)} of {voices.of} sound like "
        f"another speaker ({few(voices.clips)}); name the speakers in the list, or leave these clips out"
    )


def _suppressed_noise(made: Sequence[PreparedClip]) -> Iterator[str]:
    if records := [prepared.record for prepared in made if "snr_db_before" in prepared.record]:
        before = median(record["snr_db_before"] for record in records)
        after = median(record["measures"]["snr_db"] for record in records)
        yield f"noise suppressed: {before:.0f} dB before, {after:.0f} dB after"


def _reverberant(made: Sequence[PreparedClip]) -> Iterator[str]:
    times: dict[str, list[float]] = defaultdict(list)
    for prepared in made:
        times[prepared.clip.speaker] += prepared.record.get("decay_seconds", ())
    for speaker, found in times.items():
        if len(found) >= _FEWEST_DECAYS and median(found) > _ROOM_SECONDS:
            room = f"the room of {speaker} echoes for {round(median(found), 2):.1f} s (T60), and so will the voice"
            yield f"{room}; record closer to the microphone, or in a room with soft furniture"


def _unknown_words(unknown: dict[str, int]) -> Iterator[str]:
    if not unknown:
        return
    words = [f"{word} ({count})" for word, count in unknown.items()]
    listed = textwrap.fill(few(words, _WORDS_SHOWN), 78, initial_indent="  ", subsequent_indent="  ")
    count = "1 word is" if len(words) == 1 else f"{len(words)} words are"
    mend = f"Correct them in {UNKNOWN} in the dataset, and pass that file with --lexicon."
    yield f"{count} in no dictionary; the pronunciation was guessed:\n{listed}\n  {mend}"


PAGE = "report.html"
_TEMPLATE = "report.jinja"
_EMBEDDED_SECONDS = 300.0
"""Of audio within the page, the worst clips first: a page of an hour would be too large to send."""
_ENVELOPE = 160


ENOUGH = 20
"""Times that each phone should be said: fewer leave its sound to chance."""


def write_report(directory: Path, judged: JudgedRecordings, name: str, language: str, consent: str | None) -> None:
    """Writes the report and its pictures into a dataset's directory, which already holds the audio."""
    said = phones.counts((token for prepared in judged.kept for token in prepared.clip.tokens), language)
    page = template(Path(__file__).parent, _TEMPLATE).render(
        name=name,
        language=language,
        language_name=name_of(language),
        metrics=judged.metrics(),
        consent=consent,
        advice=[*_advice_on_phones(said, judged.kept, language), *_advice(judged)],
        coverage=_coverage(said, language),
        distributions=pictures.histograms(_distributions(judged.kept), "clips"),
        cards=_cards(judged),
        duplicates=judged.duplicates,
        problems=[problem for problem in judged.problems if problem.id not in judged.verdicts],
    )
    (directory / PAGE).write_text(page, encoding="utf-8")


_RARITIES = ("Frequent phones", "Less frequent phones", "Rare phones")


def _coverage(said: dict[str, int], language: str) -> list[str]:
    """How often each phone is said, here and in the language, in pictures of a third of them, each to its scale."""
    total, usual = max(1, sum(said.values())), phones.frequencies(language)
    each = max(1, math.ceil(len(said) / len(_RARITIES)))
    labels = ("recordings", name_of(language))
    drawn = []
    for title, first in zip(_RARITIES, range(0, len(said), each), strict=False):  # of none, there is no picture
        shown = list(said)[first : first + each]
        pairs = [(1000 * said[phone] / total, usual[phone]) for phone in shown]
        drawn.append(pictures.paired_bars(shown, pairs, labels, f"{title}, of 1000 phones"))
    return drawn


def _advice_on_phones(said: dict[str, int], kept: Sequence[PreparedClip], language: str) -> Iterator[str]:
    """How much more text would bring every phone to `ENOUGH`, in a sentence; none where its phones are not known."""
    rare = sorted((phone for phone in said if said[phone] < ENOUGH), key=said.__getitem__)
    if rare:
        usual = phones.frequencies(language)
        per_minute = 60 * max(1, sum(said.values())) / sum(prepared.clip.seconds for prepared in kept)
        minutes = max((ENOUGH - said[phone]) / (usual[phone] / 1000 * per_minute) for phone in rare)
        yield (
            f"About {max(1, round(minutes))} more minutes of ordinary text would bring every phone to {ENOUGH}; "
            f"sentences chosen for it need fewer. "
            f"Rare now: {', '.join(f'{phone} ({said[phone]})' for phone in rare)}."
        )
    elif said:
        yield f"Every phone of {name_of(language)} is said at least {ENOUGH} times."


def _advice(judged: JudgedRecordings) -> Iterator[str]:
    """What else would make the dataset better, in sentences."""
    if doubtful := sum(bool(verdict.doubt and verdict.doubt.reason) for verdict in judged.verdicts.values()):
        yield f"{doubtful} transcripts may be wrong: listen to them first. They are at the top of the list below."
    for sentence in map(_two_voices, judged.mixed_voices):
        yield f"{sentence[0].upper()}{sentence[1:]}."


def _cards(judged: JudgedRecordings) -> list[dict[str, object]]:
    """The clips as the page shows them, the worst first."""
    ranked = sorted(judged.made, key=lambda prepared: _rank(judged.verdicts[prepared.clip.id], prepared))
    left = _EMBEDDED_SECONDS
    cards = []
    for prepared in ranked:
        left -= prepared.clip.seconds
        cards.append(_card(prepared, judged.verdicts[prepared.clip.id], embedded=left >= 0))
    return cards


def _rank(verdict: Verdict, prepared: PreparedClip) -> tuple[bool, int, float, str]:
    order = ("rejected", "warning", "kept").index(verdict.word)
    return not (verdict.doubt and verdict.doubt.reason), order, -verdict.deviations, prepared.clip.id


def _card(prepared: PreparedClip, verdict: Verdict, *, embedded: bool) -> dict[str, object]:
    samples, rate = soundfile.read(io.BytesIO(prepared.flac), dtype="float32")
    folder = REJECTED if verdict.word == "rejected" else AUDIO
    words = () if prepared.fit is None else prepared.fit.words
    percent = 100 / prepared.clip.frames
    return {
        "id": prepared.clip.id,
        "text": prepared.clip.text,
        "verdict": verdict,
        "seconds": prepared.clip.seconds,
        "measures": {
            **prepared.record["measures"],
            "gain_db": prepared.record["gain_db"],
            "leading_seconds": prepared.record["leading_seconds"],
            "trailing_seconds": prepared.record["trailing_seconds"],
            "doubt": None if verdict.doubt is None else verdict.doubt.deviations,
        },
        "player": mp3(samples, rate) if embedded else quote(f"{folder}/{prepared.clip.id}.flac"),
        "mel": mel_picture(prepared.mel),
        "envelope": _outline(samples),
        # Where each begins and how long it lasts, in hundredths of the clip.
        "words": [
            (word.word, round(word.start * percent, 2), round((word.stop - word.start) * percent, 2)) for word in words
        ],
    }


def _outline(samples: NDArray[np.float32]) -> str:
    """Highest and lowest samples of 160 stretches, as the path of an SVG."""
    edges = np.linspace(0, len(samples), _ENVELOPE + 1).astype(int)[:-1]
    scale = max(float(np.abs(samples).max()), 1e-6)
    high = 1 - np.maximum.reduceat(samples, edges) / scale
    low = 1 - np.minimum.reduceat(samples, edges) / scale
    points = [*enumerate(high.round(2)), *reversed(list(enumerate(low.round(2))))]
    return "M" + "L".join(f"{x} {y:g}" for x, y in points) + "Z"


def _distributions(kept: Sequence[PreparedClip]) -> dict[str, list[float]]:
    def measured(name: str) -> list[float]:
        values: Iterable[float | None] = (prepared.record["measures"][name] for prepared in kept)
        return [value for value in values if value is not None]

    return {
        "seconds": [prepared.clip.seconds for prepared in kept],
        "median F0 (Hz)": measured("f0_hz"),
        "loudness as recorded (LUFS)": measured("loudness_lufs"),
        "signal to noise (dB)": measured("snr_db"),
    }
