"""Runs that are stopped, listed, gone on with, fitted to a budget, and compared with where they began."""

import importlib.util
import json
import os
import shutil
import signal

import pytest

from voxgrad.cli.main import main
from voxgrad.training import publish
from voxgrad.training.task import GradTTSTask
from voxgrad.training.vocoder import VocoderTask

FINETUNE = ("finetune", "--data", "robot", "--base", "robots", "--no-card")
VOCODER = ("vocoder", "train", "--data", "robot", "--preset", "vocoder-tiny")
FEW = (*VOCODER, "--set", "precision=float32", "--set", "copies=0")


@pytest.fixture
def signal_at(monkeypatch):
    """Sends this process a signal in the k-th training step from now."""

    def signal_at(step: int, number: int = signal.SIGINT) -> None:
        signals(monkeypatch, step, number)

    return signal_at


def signals(patch: pytest.MonkeyPatch, step: int, number: int) -> None:
    for task in (GradTTSTask, VocoderTask):
        plain, steps = task.step, iter(range(1, 10_000))

        def signalled(self, *arguments, plain=plain, steps=steps):
            if next(steps) == step:
                os.kill(os.getpid(), number)
            return plain(self, *arguments)

        patch.setattr(task, "step", signalled)


@pytest.fixture(scope="session")
def stopped_run(chain, steps, tmp_path_factory):
    """The directory of a fine-tuning that was stopped in its fifth step. For reading only."""
    home = tmp_path_factory.mktemp("stopped") / "home"
    shutil.copytree(chain.home, home)
    with pytest.MonkeyPatch.context() as patch:
        signals(patch, 5, signal.SIGINT)
        assert main([*FINETUNE, *steps, "--name", "carol", "-q", "--home", str(home)]) == 130
    (directory,) = (home / "runs").iterdir()
    return directory


@pytest.fixture
def stopped(furnished, stopped_run):
    """The id of that fine-tuning, in a home that a test may change."""
    shutil.copytree(stopped_run, furnished.home / "runs" / stopped_run.name, dirs_exist_ok=True)
    return stopped_run.name


def weights_of(artifact) -> str:
    return next(file.sha256 for file in artifact.manifest.files if file.path.endswith(".safetensors"))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_stop_is_one_line_with_the_command_that_goes_on(number, code, furnished, command, steps, signal_at):
    signal_at(3, number)
    outcome = command(*FINETUNE, *steps, "--name", "carol", "-q")
    (run,) = (furnished.home / "runs").iterdir()
    assert outcome.code == code
    assert outcome.out == ""
    told = f"Resume with: voxgrad finetune --resume {run.name}"
    assert outcome.err == f"error: stopped after step 3 of 11, saved. {told}\n"
    record = json.loads((run / "run.json").read_text())
    assert record["resume"] == f"voxgrad finetune --resume {run.name}"
    assert (record["step"], record["kind"], record["name"]) == ("finetune", "voice", "carol")
    assert record["parents"]["base"]["digest"] == furnished.find("robots", "base").digest
    assert (run / "curves.svg").read_bytes().startswith(b"<svg")


def test_another_home_is_part_of_that_command(chain, furnished, done, steps, signal_at, tmp_path, monkeypatch):
    monkeypatch.setenv("VOXGRAD_HOME", str(tmp_path / "elsewhere"))
    signal_at(2)
    outcome = done(*FINETUNE, *steps, "--name", "carol", "-q", "--home", furnished.home, code=130)
    assert outcome.err.rstrip().endswith(f" --home {furnished.home}")
    again = outcome.err.rstrip().partition("Resume with: voxgrad ")[2].split()
    monkeypatch.undo()
    monkeypatch.setenv("VOXGRAD_HOME", str(tmp_path / "elsewhere"))
    done(*again, "--no-card", "-q")
    assert weights_of(furnished.find("carol", "voice")) == weights_of(chain.voice)


def test_a_resumed_run_ends_in_the_same_voice(chain, furnished, done, steps, stopped):
    """By the same command; how one goes on by id, the test above shows, and with the newest run, those below."""
    outcome = done(*FINETUNE, *steps, "--name", "carol")
    assert "resuming from step 5" in outcome.err
    voice = furnished.find("carol", "voice")
    assert weights_of(voice) == weights_of(chain.voice)
    assert voice.manifest.metrics["held_out"] == chain.voice.manifest.metrics["held_out"]
    assert voice.manifest.metrics["before"] == chain.voice.manifest.metrics["before"]
    assert not (furnished.home / "runs" / stopped).exists()


def test_pretraining_goes_on_too(chain, furnished, done, steps, signal_at, monkeypatch):
    signal_at(9)
    done("pretrain", "--data", "robot", "--name", "again", *steps, "-q", code=130)
    signal_at(0)
    done("pretrain", "--resume", "-q")
    assert weights_of(furnished.find("again", "base")) == weights_of(chain.base)


def test_a_vocoder_goes_on_is_found_again_trained_further_and_speaks(furnished, done, signal_at):
    signal_at(3)
    stopped = done(*FEW, "--name", "own", "--half", code=130)
    assert "voxgrad vocoder train --resume own-" in stopped.err
    signal_at(0)
    told = json.loads(done("vocoder", "train", "--resume", "--json", "-q").out)
    assert (told["vocoder"], told["metrics"]["steps"] > 3) == ("own@v1", True)
    assert set(told["metrics"]["held_out"]) == {"spectral", "mel"}
    files = {entry.path for entry in furnished.find("own", "vocoder").manifest.files}
    assert files == {"vocoder.json", "weights.safetensors", "log.jsonl", "curves.svg"}
    assert list((furnished.home / "runs").iterdir()) == []
    assert "own@v1 is up to date" in done(*FEW, "--name", "own", "--half").err
    done(*FEW, "--name", "further", "--from", "own", "-q")
    assert furnished.find("further", "vocoder").manifest.parents["start"].ref == "own@v1"
    done("say", "hello", "--vocoder", "further", "--steps", "2", "-q")


def test_runs_lists_what_is_in_progress(furnished, command, stopped, done):
    outcome = done("runs")
    heading, line = outcome.out.splitlines()
    assert heading.split() == ["run", "command", "stage", "step", "losses", "saved", "size"]
    for word in (stopped, "finetune", "encoder durations", "5 of 11", "prior", " ago"):
        assert word in line
    told = json.loads(command("runs", "--json").out)["runs"]
    assert len(told) == 1
    assert (told[0]["run"], told[0]["step"], told[0]["steps"], told[0]["checkpoint"]) == (stopped, 5, 11, 5)
    assert set(told[0]["losses"]) == {"prior", "duration", "moved"} or {"prior", "duration"} <= set(told[0]["losses"])
    assert told[0]["size"] > 10_000
    assert 0 <= told[0]["checkpoint_age"] < 3600


def test_runs_fit_on_eighty_columns(furnished, stopped):
    from rich.console import Console

    from voxgrad.cli.train import runs_table
    from voxgrad.training.run import unfinished

    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(runs_table(unfinished(furnished)))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_without_runs_it_says_so(command, furnished):
    outcome = command("runs")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"No run in progress in {furnished.home}\n"


def test_a_run_of_another_command_is_named(command, refused, stopped):
    line = refused("pretrain", "--resume", stopped)
    assert f"run {stopped} was started by finetune, not by pretrain" in line


def test_a_run_whose_dataset_is_gone_is_refused(furnished, refused, stopped):
    record = furnished.home / "runs" / stopped / "run.json"
    record.write_text(record.read_text().replace(furnished.find("robot", "dataset").digest, "f" * 64))
    assert "is not in this store" in refused("finetune", "--resume", stopped)


def test_a_record_that_cannot_be_read_is_passed_over_or_told(furnished, command, stopped, done):
    (furnished.home / "runs" / stopped / "run.json").write_text("{")
    assert "No run in progress" in command("runs").out
    outcome = done("finetune", "--resume", stopped, code=3)
    assert "no readable run.json" in outcome.err


def test_a_run_under_a_budget_is_resumed_with_its_shares_and_its_voice_found_again(
    furnished, command, done, steps, monkeypatch, signal_at
):
    asked = (*FINETUNE, *steps, "--name", "quick", "--budget", "20m")
    # How long twenty minutes are is for test_time_budget.py; here they are less than a second.
    monkeypatch.setattr(publish, "shared_out", lambda *arguments: (0.2, 0.2))
    signal_at(9)  # four of each stage are timed
    outcome = done(*asked, code=130)
    assert "per step" in outcome.err
    assert "stopped after step 1, saved" in outcome.err
    assert json.loads(command("--json", "runs").out)["runs"][0]["steps"] is None
    signal_at(0)
    monkeypatch.setattr(publish, "_measured", None)  # nothing is measured a second time
    done("finetune", "--resume", "--no-card")
    settings = furnished.find("quick", "voice").manifest.settings
    assert settings["budget"] == 1200
    again = done(*asked)
    assert "quick@v1 is up to date" in again.err


def test_too_small_a_budget_is_refused_with_what_it_takes(furnished, refused, steps):
    line = refused(*FINETUNE, *steps, "--budget", "1s")
    assert "a budget of 1 s is too short for one step of every stage" in line
    assert "Give at least " in line


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is not None, reason="TensorBoard is installed")
def test_without_tensorboard_it_says_how_to_install_it(furnished, done, steps):
    outcome = done(*FINETUNE, *steps, "--name", "x", "--tensorboard", "board", "-q", code=4)
    assert outcome.err == (
        "error: TensorBoard is not installed. Install it with: pip install 'voxgrad[tensorboard]'.\n"
    )
    assert not (furnished.home / "runs").exists() or not list((furnished.home / "runs").iterdir())


def test_a_voice_is_compared_with_its_base(chain, furnished, done, steps):
    metrics = chain.voice.manifest.metrics
    assert set(metrics["before"]) == set(metrics["held_out"])
    assert metrics["judged_by"] == "diffusion"
    assert "before" not in chain.base.manifest.metrics
    still = [word for stage in (0, 1) for word in ("--set", f"stages.{stage}.learning_rate=1e-30")]
    outcome = done(*FINETUNE, *steps, *still, "--set", "stages.0.steps=1", "--name", "same", "-q")
    assert "fine-tuning did not help: diffusion was " in outcome.out
