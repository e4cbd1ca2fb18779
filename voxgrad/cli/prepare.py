"""`voxgrad prepare` and `align`: recordings become a dataset, and alignments Praat TextGrids."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from voxgrad.cli.shared_options import Language, PresetName, Pronunciations, Session, command
from voxgrad.cli.terminal import duration, identity
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.store import Artifact, Store
    from voxgrad.transcripts.find import TranscriptSpec

Frontend = Literal["voxgrad", "official"]


@command(texts="voxgrad.transcripts.find.TranscriptSpec")
def prepare(
    session: Session,
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the recordings.")],
    name: Annotated[str | None, typer.Option(help="Name of the dataset (default: the folder's name).")] = None,
    consent: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Statement of what the speaker agreed to.")
    ] = None,
    speaker: Annotated[
        str | None, typer.Option(metavar="NAME", help="The speaker, if the transcripts name none.")
    ] = None,
    no_consent_needed: Annotated[
        str | None,
        typer.Option(metavar="WHY", help="Why no consent is needed, such as 'my own voice' or 'public domain'."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Licence of the recordings, such as 'CC BY 4.0'.")
    ] = None,
    texts: "TranscriptSpec",
    transcribe: Annotated[
        Literal["auto", "faster-whisper", "pocketsphinx"] | None,
        typer.Option(help="Transcribe recordings without a text; needs voxgrad[whisper] or voxgrad[pocketsphinx]."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="For --transcribe: folder of a Whisper converted for faster-whisper; needs no network."
        ),
    ] = None,
    denoise: Annotated[
        bool,
        typer.Option("--denoise", help="Suppress noise with RNNoise, in the dataset only; needs voxgrad[denoise]."),
    ] = False,
    language: Language = "en",
    text_frontend: Annotated[Frontend, typer.Option(help="Text front end; must match the base's.")] = "voxgrad",
    lexicon: Pronunciations = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Reject words that are in no dictionary, and clips with a warning.")
    ] = False,
    keep_all: Annotated[bool, typer.Option("--keep-all", help="Keep clips that the checks would reject.")] = False,
    drop_worst: Annotated[
        float,
        typer.Option(metavar="PERCENT", help="Reject this percentage of the clips, those that fit their texts worst."),
    ] = 0.0,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Base that aligns texts with recordings (default: the included one); none: do not align.",
        ),
    ] = None,
    preset: PresetName = "prepare",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the preset; repeatable.")
    ] = None,
    engine: Annotated[str, typer.Option(metavar="E", help="Where to compute: local, or dask://HOST:PORT.")] = "local",
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Number of processes (default: automatic).")
    ] = None,
) -> None:
    """Make a dataset from a folder of recordings."""
    session.loading()
    from voxgrad.preparation.quality_checks import Policy
    from voxgrad.preparation.speech_recognition import choose_recogniser
    from voxgrad.presets import load_prepare_preset
    from voxgrad.settings import TextSpec
    from voxgrad.steps.prepare import Options
    from voxgrad.steps.prepare import prepare as step
    from voxgrad.store.artifact import plain_name
    from voxgrad.text.languages import known_language

    spoken = known_language(language)
    whole = folder.resolve()  # "." and ".." have names too
    called = whole.parent.name if whole.name == "wavs" and name is None else whole.name
    options = Options(
        texts.transcripts,
        texts.form,
        lexicon,
        _base(session.store, base),
        None if transcribe is None and model is None else choose_recogniser(transcribe or "auto", model, spoken),
        Policy(strict, keep_all, drop_worst),
        speaker,
        statement(session, folder, consent, speaker, no_consent_needed),
        licence,
        denoise,
        engine,
        jobs,
    )
    with session.progress() as progress:
        dataset = step(
            session.store,
            folder,
            name=plain_name(called) if name is None else name,
            preset=load_prepare_preset(preset, [] if overrides is None else overrides),
            text=TextSpec(language=spoken, frontend=text_frontend),
            options=options,
            emit=progress.emit,
        )
    _answer(session, dataset)


def _answer(session: Session, dataset: "Artifact") -> None:
    metrics = dataset.manifest.metrics
    warned = f", {metrics['warnings']} of them with a warning" if metrics["warnings"] else ""
    rejected = f", {metrics['rejected']} left out" if metrics["rejected"] else ""
    unsaid = "" if dataset.manifest.consent is not None else f"\n  {_UNSAID}"
    session.answer(
        {**identity(dataset), "consent": dataset.manifest.consent, **metrics},
        f"dataset {dataset.ref}: {metrics['clips']} clips, {duration(metrics['seconds'])}{warned}{rejected}\n"
        f"  report: {dataset.directory / 'report.html'}{unsaid}",
        None if unsaid else f"finetune --data {dataset.name}",
    )


_UNSAID = "cannot be cloned yet: repeat prepare with --no-consent-needed WHY, or --consent TEXT --speaker NAME"


def _base(store: "Store", wanted: str | None) -> "Artifact | None":
    from voxgrad.steps.prepare import own_base

    if wanted == "none":
        return None
    return own_base(store) if wanted is None else store.find(wanted, "base")


def statement(
    session: Session, recordings: Path, consent: str | None, speaker: str | None, not_needed: str | None
) -> str | None:
    """Why the voice may be cloned: as the options say, or as the person at the terminal says."""
    from voxgrad.preparation import consent as statements

    if consent is not None and not_needed is not None:
        raise BadInputError("--consent and --no-consent-needed cannot be used together", "Give one of them.")
    if consent is not None:
        return statements.agreed(speaker, consent)
    if not_needed is not None:
        return statements.not_needed(not_needed)
    if session.json or session.quiet or not recordings.exists() or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return _asked(speaker)


def _asked(speaker: str | None) -> str | None:
    from voxgrad.preparation import consent as statements

    typer.echo("Whose voice is this? A voice may be cloned only with consent.", err=True)
    typer.echo("  1  my own\n  2  someone else's, who has agreed\n  3  in the public domain, or synthetic", err=True)
    typer.echo("  4  decide later", err=True)
    chosen = ""
    while chosen not in {"1", "2", "3", "4"}:
        chosen = typer.prompt("1, 2, 3 or 4", err=True).strip()
    if chosen == "2":
        name = speaker if speaker is not None else typer.prompt("Their name", err=True)
        return statements.agreed(name, typer.prompt("What they agreed to", err=True))
    reasons = {"1": statements.MY_OWN, "3": "public domain or synthetic"}
    return statements.not_needed(reasons[chosen]) if chosen in reasons else None


_MODELS = ("voice", "base")


@command()
def align(
    session: Session,
    *,
    source: Annotated[str, typer.Argument(metavar="REF", help="A dataset, or a voice or base with stored alignments.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Output folder, new or empty.")],
    voice: Annotated[
        str | None,
        typer.Option(
            metavar="REF", help="Voice or base that aligns a dataset (default: the newest voice, or else base)."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace TextGrids that are already in DIR.")] = False,
) -> None:
    """Write the times of words and phones as TextGrids for Praat."""
    session.loading()
    from voxgrad.steps.align import align as search
    from voxgrad.steps.align import stored_alignments

    store = session.store
    artifact = _find(store, source, ("dataset", *_MODELS))
    if artifact.kind == "dataset":
        model = _find(store, voice, _MODELS)
        with session.progress() as progress:
            written = search(store, artifact, model, output, force=force, emit=progress.emit)
    elif voice is not None:
        raise BadInputError(
            f"{artifact.kind} {artifact.ref} is not a dataset, so --voice does not apply", "Leave out --voice."
        )
    else:
        model = artifact
        with session.progress() as progress:
            written = stored_alignments(store, artifact, output, force=force, emit=progress.emit)
    session.answer(
        {
            "directory": str(written.folder),
            "files": written.files,
            "source": artifact.ref,
            model.kind: model.ref,
            "log_likelihood": written.log_likelihood,
        },
        f"{written.folder}: {written.files} TextGrids of {artifact.ref} by {model.kind} {model.ref}, "
        f"log-likelihood {written.log_likelihood:.1f} per frame",
    )


def _find(store: "Store", ref: str | None, kinds: tuple[str, ...]) -> "Artifact":
    artifact = store.find_of(ref, kinds)
    if artifact.kind not in kinds:
        raise BadInputError(f"{ref} is a {artifact.kind}", f"Name a {' or a '.join(kinds)}.")
    return artifact
