"""`voxgrad convert`, `vocode`, `replay` and `info`: commands that take audio files."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.say import Format
from voxgrad.cli.shared_options import (
    Like,
    NoConsentNeeded,
    NoMetadata,
    Pronunciations,
    Seed,
    Session,
    Timings,
    Vocoder,
    Voice,
    command,
)
from voxgrad.cli.terminal import length, section, use_of
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.settings import ConversionSpec, DeliverySpec, SynthesisSpec
    from voxgrad.steps.convert import ConversionJob
    from voxgrad.voice.speak import AudioTarget


@command(
    without=("sentence_silence", "edge_silence"),  # which are the recording's
    kept="voxgrad.settings.ConversionSpec",
    synthesis="voxgrad.settings.SynthesisSpec",
    delivery="voxgrad.settings.DeliverySpec",
)
def convert(
    session: Session,
    *,
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING...", help="Audio files, or folders of them.")],
    text: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Words of the recording (default: the .txt beside it, or else a speech recogniser)."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Output for a single recording: .wav, .flac, .ogg, .mp3, .m4a or .opus.",
        ),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option("-d", "--directory", metavar="DIR", help="Write an audio file for every recording to DIR."),
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="Format of files that you do not name (default: that of --for, or wav)."),
    ] = None,
    play: Annotated[bool, typer.Option("--play", help="Play the converted speech; write no file.")] = False,
    voice: Voice = None,
    like: Like = None,
    no_consent_needed: NoConsentNeeded = None,
    vocoder: Vocoder = None,
    kept: "ConversionSpec",
    synthesis: "SynthesisSpec",
    delivery: "DeliverySpec",
    lexicon: Pronunciations = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Whisper model (folder) for faster-whisper, for recordings without a text."),
    ] = None,
    seed: Seed = 0,
    timings: Timings = None,
    no_metadata: NoMetadata = False,
) -> None:
    """Speak the words of a recording in another voice. Timing, melody and loudness are kept."""
    session.loading()
    from voxgrad.cli.like import chosen_voice
    from voxgrad.cli.say_output import answer_file, play_file
    from voxgrad.onnx.runtime import KIND
    from voxgrad.preparation.speech_recognition import choose_recogniser, installed_recogniser
    from voxgrad.steps.convert import ConversionOptions
    from voxgrad.steps.convert import convert as step
    from voxgrad.text.languages import known_language
    from voxgrad.voice.load import find_voice, load_voice, split_speaker
    from voxgrad.voice.speak import AudioTarget
    from voxgrad.weights import acoustic_spec_of

    if play and (output is not None or directory is not None):
        raise BadInputError("--play writes no file", "Omit -o and -d.")
    if play and timings is not None and not timings.suffix:
        raise BadInputError("there is no file for the timings to go beside", "Give --timings a file name.")
    wanted = chosen_voice(session, voice, like, synthesis.language, no_consent_needed)
    artifact, speaker = find_voice(session.store, wanted), split_speaker(wanted)[1]
    if artifact.kind == KIND:
        raise BadInputError(
            f"{artifact} is an ONNX graph, which cannot follow timing or melody", "Use the voice that it was made from."
        )
    if speaker is not None:
        synthesis = synthesis.model_copy(update={"speaker": speaker})
    spoken = known_language(synthesis.language or acoustic_spec_of(artifact).text.language)
    # Without any recogniser, only a recording without a text is an error.
    installed = installed_recogniser("auto", spoken) if model is None else choose_recogniser("auto", model, spoken)
    options = ConversionOptions(kept, synthesis, delivery, seed, installed)
    with TemporaryDirectory() as scratch, session.progress() as progress:

        def target(recording: Path) -> "AudioTarget":
            path = output or Path(f"{recording.stem}-{artifact.name}.{format_ or delivery.format or 'wav'}")
            if directory is not None:
                path = directory / f"{recording.stem}{path.suffix}"
            if play:
                path = Path(scratch) / f"{recording.name}.wav"
            return AudioTarget.at(path, timings, metadata=not no_metadata)

        jobs = _jobs(recordings, text, output, directory, timings, target, delivery)
        ready = load_voice(session.store, artifact, vocoder, lexicon, progress.emit, engine="torch").ready()
        ready.spec.row_of(synthesis.speaker)  # before the first recording is read
        parents = {role: artifact.ref for role, artifact in ready.parents.items()}
        for job in step(jobs, ready, options, progress.emit):
            if play:
                play_file(job.target.path)
            path = job.recording if play else job.target.path
            more = {"recording": str(job.recording), "text": job.text}
            answer_file(session, path, job.seconds, seed, parents, **more)
    if not play:
        session.then(f"info {shlex.quote(str(path))}")


def _jobs(
    named: Sequence[Path],
    text: str | None,
    output: Path | None,
    directory: Path | None,
    timings: Path | None,
    target_of: Callable[[Path], "AudioTarget"],
    delivery: "DeliverySpec",
) -> "list[ConversionJob]":
    """What is converted into what, looked at before anything is.

    Raises:
        BadInputError: there is nothing to convert, or too much for one text or file.
    """
    from voxgrad.audio.writers import check_writable_audio
    from voxgrad.cli.say_output import make_directory
    from voxgrad.steps.convert import ConversionJob
    from voxgrad.transcripts.beside import script_beside

    if output is not None and directory is not None:
        raise BadInputError("-o and -d cannot be used together", "Give one of them.")
    recordings = [recording for path in named for recording in recordings_of(path)]
    one_file_of_timings = timings is not None and timings.suffix
    single = {"--text": text, "-o": output, "--timings FILE": one_file_of_timings or None}
    option = next((name for name, value in single.items() if value is not None), None)
    if len(recordings) > 1 and option is not None:
        raise BadInputError(
            f"{option} works for one recording, but there are {len(recordings)}",
            "Write the texts to .txt files beside them, and give -d DIR and --timings srt.",
        )
    if directory is not None:
        make_directory(directory)
    jobs: dict[Path, ConversionJob] = {}
    for recording in recordings:
        target = target_of(recording)
        path = target.path
        if path.absolute() in jobs:
            raise BadInputError(f"two recordings would be written to {path}", "Give them different names.")
        if path.exists() and path.samefile(recording):
            raise BadInputError(f"{path} is the input recording", "Name another file with -o.")
        check_writable_audio(path, delivery)
        said = text if text is not None else script_beside(recording)
        jobs[path.absolute()] = ConversionJob(recording, said, target)
    return list(jobs.values())


def recordings_of(path: Path) -> Iterator[Path]:
    """A recording itself, or those of a folder.

    Raises:
        BadInputError: there are none.
    """
    from voxgrad.transcripts.recordings import Folder

    if not path.is_dir():
        if not path.is_file():
            raise BadInputError(f"there is no {path}", "Give an audio file or a folder of audio files.")
        yield path
        return
    recordings = Folder(path.absolute()).recordings
    if not recordings:
        raise BadInputError(f"{path} contains no recordings", "Give a folder that contains audio files.")
    yield from (path / file for file in recordings)


MadeFile = Annotated[Path, typer.Argument(metavar="FILE", help="An audio file that `say` or `convert` wrote.")]


@command()
def replay(
    session: Session,
    *,
    file: MadeFile,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A .wav, .flac, .ogg or .mp3 (default: FILE-replay.wav)."),
    ] = None,
    lexicon: Annotated[Path | None, typer.Option(metavar="FILE", help="Lexicon that `say` used.")] = None,
    recording: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Recording that `convert` used (default: the one beside FILE or in the working directory).",
        ),
    ] = None,
) -> None:
    """Reproduce an audio file from its metadata."""
    from voxgrad.audio.writers import check_writable_audio, read_comment
    from voxgrad.steps.replay import replay as step
    from voxgrad.voice.metadata import read_recipe

    recipe = read_recipe(read_comment(file), str(file))
    if recipe is None:
        raise BadInputError(
            f"{file} does not say how it was made", "Files written with --no-metadata cannot be replayed."
        )
    target = _other_file(file, f"{file.stem}-replay.wav", output)
    check_writable_audio(target)
    with session.progress() as progress:
        again = step(session.store, file, recipe, target, lexicon=lexicon, recording=recording, emit=progress.emit)
    outcome = {
        True: "the same samples",
        False: "NOT the same samples",
        None: "not compared, because the format is lossy",
    }
    session.answer(
        {"file": str(target), "seconds": round(again.seconds, 4), "identical": again.identical},
        f"{target}: {length(again.seconds)}, {outcome[again.identical]}",
        f"info {shlex.quote(str(target))}",
    )


def _other_file(source: Path, default: str, output: Path | None) -> Path:
    target = Path(default) if output is None else output
    if target.exists() and source.exists() and target.samefile(source):
        raise BadInputError(f"{target} is the input file", "Name another file with -o.")
    return target


@command()
def info(session: Session, file: MadeFile) -> None:
    """Show the metadata of an audio file: voice, settings and text."""
    from rich.console import Group

    from voxgrad.audio.codecs import read_tags
    from voxgrad.audio.io import open_audio
    from voxgrad.audio.writers import read_comment
    from voxgrad.cli.store import flattened
    from voxgrad.voice.metadata import read_recipe

    recipe = read_recipe(read_comment(file), str(file))
    about = {"synthetic": "yes"}
    if file.suffix.lower() in {".m4b", ".m4a", ".opus"}:
        seconds = read_tags(file)[1]
        about["seconds"] = f"{seconds:.2f}"
    else:
        with open_audio(file) as audio:
            seconds = audio.frames / audio.samplerate
            about |= {"seconds": f"{seconds:.2f}", "rate": f"{audio.samplerate} Hz"}
    known = {} if recipe is None else recipe.model_dump()
    rows = {
        name: f"{value[:400]}…" if len(value) > 400 else value
        for name, value in flattened(known).items()
        if value != "None"
    }
    session.answer(
        {"file": str(file), "synthetic": True, "seconds": round(seconds, 4), "recipe": known},
        Group(section(str(file), about), section("made from", rows)),
        None if recipe is None or recipe.text is None else f"replay {shlex.quote(str(file))}",
    )


@command()
def vocode(
    session: Session,
    *,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="An audio file, or a log-mel: .npy or .safetensors.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Output: .wav, .flac or .ogg (default: FILE-vocoded.wav)."),
    ] = None,
    vocoder: Annotated[
        str | None, typer.Option(metavar="REF", help="Vocoder, or griffinlim (default: as for say).")
    ] = None,
) -> None:
    """Resynthesise a recording, to hear what a vocoder loses."""
    from voxgrad.audio.io import check_writable, write_audio
    from voxgrad.settings import MelSpec
    from voxgrad.steps.convert import vocode as step
    from voxgrad.vocoder.choice import GRIFFIN_LIM, choose_vocoder

    target = _other_file(source, f"{source.stem}-vocoded.wav", output)
    check_writable(target)
    with session.progress() as progress:
        chosen = choose_vocoder(session.store, vocoder, MelSpec(), progress.emit)
        copy = step(source, chosen, progress.emit)
    write_audio(target, copy.waveform)
    called = GRIFFIN_LIM if chosen is None else chosen.ref
    figures = {
        "seconds": copy.waveform.seconds,
        "mel_l1": copy.mel_l1,
        "real_time_factor": copy.real_time_factor,
    }
    session.answer(
        {"file": str(target), "vocoder": called, **{name: round(value, 4) for name, value in figures.items()}},
        f"{target}: {length(copy.waveform.seconds)} by {called}, "
        f"mel L1 {copy.mel_l1:.3f}, real-time factor {copy.real_time_factor:.3f}",
        None if chosen is None else use_of(chosen),
    )
