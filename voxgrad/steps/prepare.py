"""Recordings and their texts → a dataset."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import soundfile
import torch

from voxgrad.audio.clean import require_denoiser
from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.events import Emit, Said, tracked
from voxgrad.files import sha256_of
from voxgrad.preparation.alignment import Aligner
from voxgrad.preparation.dataset_files import JudgedRecordings, RecordingCache, write_payload
from voxgrad.preparation.quality_checks import Policy, classify
from voxgrad.preparation.recording import LOCAL, RecordingOutcome, RecordingSettings, check_engine, prepare_recordings
from voxgrad.preparation.report import report_form, report_recordings, write_report
from voxgrad.preparation.speech_recognition import Recogniser
from voxgrad.settings import AcousticSpec, AudioSpec, PrepareSpec, TextSpec
from voxgrad.store.artifact import Artifact, check_name
from voxgrad.store.manifest import canonical_json, fingerprint
from voxgrad.store.store import Store
from voxgrad.text.languages import name_of
from voxgrad.text.lexicon import Lexicon, refuse_unknown
from voxgrad.text.tokens import encode
from voxgrad.transcripts.find import find_transcripts
from voxgrad.transcripts.registry import Entry, Problem
from voxgrad.weights import taught

VERSION = 5
_TASK, _OWN_BASE = "prepare", "english"


@dataclass(frozen=True)
class Options:
    """How recordings are found and worked on, and what is said of their voice.

    Attributes:
        transcripts: a list; None: see `voxgrad.transcripts.find.find_transcripts`.
        form: of the list; None: it is recognised.
        lexicon: pronunciations, which go before those of the store's own lexicon; the dataset carries both.
        base: what aligns texts with recordings; None: nothing does, and no text is doubted.
        recogniser: what writes down recordings without a text; None: they are left out.
        policy: how strict to be. ``strict`` refuses words that no dictionary has, too, before any work.
        speaker: who speaks where the transcripts name nobody; None: the dataset's name.
        consent: why this voice may be cloned; None where nobody has said it yet.
        licence: of the recordings, which the manifests of all that is made from them keep.
        denoise: suppress the noise of the recordings, in the dataset.
        engine: ``local``, or ``dask://HOST:PORT``.
        jobs: processes; None: one for every processor where that pays.
    """

    transcripts: Path | None = None
    form: str | None = None
    lexicon: Path | None = None
    base: Artifact | None = None
    recogniser: Recogniser | None = None
    policy: Policy = Policy()  # noqa: RUF009 (frozen)
    speaker: str | None = None
    consent: str | None = None
    licence: str | None = None
    denoise: bool = False
    engine: str = LOCAL
    jobs: int | None = None


def prepare(
    store: Store, folder: Path, *, name: str, preset: PrepareSpec, text: TextSpec, options: Options, emit: Emit
) -> Artifact:
    """Makes a dataset of a folder of recordings, or finds the one that the same recordings made before.

    Only what is new or has changed since the dataset's last version is worked on. What an interrupted run has done
    lies in the store's folder ``prepared`` until a run is through.

    Raises:
        BadInputError: nothing usable was found, a list or lexicon cannot be read, or strict found unknown words.
        EnvironmentFailureError: the disk is full or cannot be written, or a cluster does not answer.
    """
    check_name(name)  # before the work, not after it
    check_engine(options.engine)
    if options.denoise:
        require_denoiser()
    found = find_transcripts(folder, options.transcripts, options.form, untold=options.recogniser is not None)
    transcripts = found.in_language(text.language, name_of(text.language))
    report_form(transcripts, emit)
    words = Lexicon.gather(store.home, options.lexicon)
    if options.policy.strict:
        refuse_unknown(_unknown(transcripts.entries, text, words))
    base = _aligner(store, options.base, preset.audio, text.language, emit)
    how = RecordingSettings(
        name if options.speaker is None else options.speaker,
        preset.audio,
        text,
        words,
        base,
        options.recogniser,
        options.denoise,
    )
    teacher = None if base is None or base[1] is None else Artifact.load(base[1][0])
    settings = _settings(how, preset, options, words, teacher)
    keys = [_key(entry, settings) for entry in transcripts.entries]
    refused = [asdict(problem) for problem in transcripts.problems]
    inputs = {"name": name, "recordings": keys, "refused": refused, "consent": options.consent}
    inputs |= {} if options.licence is None else {"licence": options.licence}
    parents = {} if options.base is None or base is None else {"base": options.base}
    parents |= {} if teacher is None else {"language": teacher}
    key = fingerprint(_TASK, VERSION, settings, parents, inputs)
    if (known := store.matching("dataset", key, emit)) is not None:
        return known
    versions = [dataset for dataset in store.list("dataset") if dataset.name == name]
    cache = RecordingCache(store.prepared, max(versions, key=lambda dataset: dataset.version, default=None))
    done = _done(cache, transcripts.entries, keys, how, options, emit)
    judged = _judged(done, transcripts.problems, preset, options.policy)
    if not judged.kept:
        cache.clear(keys)
        first = f"{judged.problems[0].id}: {judged.problems[0].reason}"
        raise BadInputError(
            f"none of the {len(judged.problems)} recordings in {folder} can be used; first problem: {first}",
            ". ".join(["Fix the recordings or their transcripts", *transcripts.notices]) + ".",
        )
    try:
        report_recordings(judged, emit)
        with store.stage("dataset", name) as staged:
            write_payload(staged.directory, judged, words)
            emit(Said("writing the report", "detail"))
            write_report(staged.directory, judged, name, text.language, options.consent)
            published = staged.publish(
                fingerprint=key,
                parents=parents,
                settings=settings,
                metrics=judged.metrics(),
                tools={"torch": torch.__version__, "libsndfile": soundfile.__libsndfile_version__},
                consent=options.consent,
                licence=options.licence,
            )
    except BadInputError:
        cache.clear(keys)
        raise
    cache.clear(keys)
    return published


def _settings(
    how: RecordingSettings, preset: PrepareSpec, options: Options, words: Lexicon, teacher: Artifact | None
) -> dict[str, Any]:
    return {
        "audio": preset.audio.model_dump(),
        "checks": preset.checks.model_dump(mode="json"),
        "text": how.text.model_dump(),
        "speaker": how.speaker,
        "recogniser": None,
        **({} if options.recogniser is None else options.recogniser.settings),
        "policy": asdict(options.policy),
        "base": None if options.base is None or how.base is None else options.base.digest,
        **({} if teacher is None else {"language": teacher.digest}),
        **({"denoise": True} if options.denoise else {}),
        **words.settings,
    }


_OF_THE_WORK = ("audio", "text", "speaker", "recogniser", "model", "denoise", "base", "language", "lexicon")


def _key(entry: Entry, settings: dict[str, Any]) -> str:
    """What a recording's outcome depends on: its content, its text and the settings, not what is thought of it."""
    work = {name: settings[name] for name in _OF_THE_WORK if name in settings}
    about: list[Any] = [entry.id, entry.recording.name, entry.text, entry.speaker, _digest(entry.recording)]
    if entry.segments:  # others keep the keys that they had
        about.append([asdict(segment) for segment in entry.segments])
    return hashlib.sha256(canonical_json([VERSION, about, work])).hexdigest()


def _done(
    cache: RecordingCache,
    entries: Sequence[Entry],
    keys: Sequence[str],
    how: RecordingSettings,
    options: Options,
    emit: Emit,
) -> list[RecordingOutcome]:
    """The outcomes of all recordings, in their order, so that any number of jobs gives the same dataset."""
    known = {key: outcome for key in keys if (outcome := cache.get(key)) is not None}
    todo = [(entry, key) for entry, key in zip(entries, keys, strict=True) if key not in known]
    if known:
        emit(Said(f"{len(todo)} recordings are new or changed, {len(known)} are unchanged"))
    work = prepare_recordings(
        [entry for entry, _ in todo], [key for _, key in todo], how, engine=options.engine, jobs=options.jobs
    )
    for outcome in tracked(work, _TASK, "recordings", emit, len(keys), before=len(keys) - len(todo)):
        cache.put(outcome)
        known[outcome.key] = outcome
    return [known[key] for key in keys]


def _judged(
    done: Sequence[RecordingOutcome], problems: Sequence[Problem], preset: PrepareSpec, policy: Policy
) -> JudgedRecordings:
    """All clips with their verdicts; a piece of a long recording that is called as another clip is left out."""
    seen: set[str] = set()
    left_out = [*problems]
    unique = []
    for outcome in done:
        made = []
        for prepared in outcome.made:
            if prepared.clip.id in seen:
                left_out.append(Problem(prepared.clip.id, f"{prepared.clip.id} occurs twice"))
            else:
                seen.add(prepared.clip.id)
                made.append(prepared)
        left_out += outcome.problems
        unique.append(replace(outcome, made=tuple(made)))
    verdicts = classify([prepared for outcome in unique for prepared in outcome.made], preset.checks, policy)
    rejected = sorted(name for name, verdict in verdicts.items() if verdict.word == "rejected")
    left_out += [Problem(name, "; ".join(verdicts[name].reasons)) for name in rejected]
    return JudgedRecordings(tuple(unique), tuple(left_out), verdicts)


def own_base(store: Store) -> Artifact | None:
    """The base that comes with voxgrad: a dataset does not change with what is pretrained."""
    embedded = [base for base in store.list("base") if base.embedded]
    return max(embedded, key=lambda base: (base.name == _OWN_BASE, base.version), default=None)


def _aligner(store: Store, base: Artifact | None, audio: AudioSpec, language: str, emit: Emit) -> Aligner | None:
    """Where a base lies that was trained on mels like these, and speaks the language."""
    if base is None:
        return None
    if AcousticSpec.model_validate(base.manifest.settings["acoustic"]).mel != audio.mel:
        emit(Said(f"base {base.ref} has other mel settings, so transcripts are not checked", "warning"))
        return None
    try:
        known = taught(base, store, language)
    except BadInputError as error:
        emit(Said(f"{error.message}, so transcripts are not checked", "warning"))
        return None
    return base.location, known and (known[0].location, known[1])


def _unknown(entries: Sequence[Entry], text: TextSpec, lexicon: Lexicon) -> Counter[str]:
    """Words that no dictionary has, and in how many texts they stand."""
    unknown = Counter[str]()
    for entry in entries:
        with suppress(VoxgradError):  # a text that cannot be read is reported when its turn comes
            unknown.update(encode(entry.text, text, lexicon).unknown)
    return unknown


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except BadInputError:
        return "unreadable"  # why, is reported when its turn comes
