"""The card of a fine-tuned voice: what it holds, and what becomes of the voice where there can be none."""

import json
import re

import pytest

from voxgrad.cli.main import Terminated
from voxgrad.errors import EnvironmentFailureError
from voxgrad.steps import evaluate as card_step
from voxgrad.training.dataset import Dataset

FINETUNE = ("finetune", "--data", "robot", "--base", "robots", "--name", "robot")


@pytest.fixture
def trained(furnished, monkeypatch):
    """A home where fine-tuning is done at once: what follows it is tested here."""
    voice = furnished.find("robot", "voice")
    monkeypatch.setattr("voxgrad.steps.train.finetune", lambda *_, **__: voice)
    return furnished


@pytest.fixture
def failing(monkeypatch):
    def fail(error):
        def card(*_):
            raise error

        monkeypatch.setattr(card_step, "card", card)

    return fail


def test_it_is_one_page_with_fewer_sentences_where_the_time_is_over(furnished, done, monkeypatch):
    voice, dataset = furnished.find("voice/robot"), furnished.find("dataset/robot")
    clips = Dataset.open(dataset).corpus.clips[:2]
    monkeypatch.setattr(card_step, "held_out", lambda *_: list(clips))
    said = []
    made = card_step.card(furnished, voice, said.append, deadline=0.0)
    assert len(made.manifest.settings["sentences"]) == 1
    assert "the card has 1 of 2 sentences, because time ran out" in [getattr(event, "text", "") for event in said]
    # The whole one, which the short one is not taken for: one page that asks nobody for anything.
    told = json.loads(done("card", "robot", "--json").out)
    made = furnished.find(told["card"], "card")
    page = made.path("card.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert "default-src 'none'" in page
    assert len(made.manifest.settings["sentences"]) == page.count("<h2 ") == 2
    # The recording, the base and the voice: each to see and to hear.
    assert page.count("<audio") == page.count("<figure>") == 3 * 2
    verdict = made.manifest.metrics["verdict"]
    assert verdict in page
    assert re.match(r"Fine-tuning (helped|did not help): mel-cepstral distortion .* → .* dB", verdict)
    done("card", "robot")
    assert len(furnished.list("card")) == 2


@pytest.mark.parametrize("error", [EnvironmentFailureError("the disk is full", "Make room."), KeyboardInterrupt()])
def test_a_voice_outlives_a_card_that_cannot_be_made(error, trained, done, failing):
    failing(error)
    told = done(*FINETUNE)
    assert "voice robot@v1" in told.out
    assert "no card" in told.err
    assert "voxgrad card robot@v1" in told.err
    assert not trained.list("card")


def test_a_voice_outlives_a_request_to_end_while_its_card_is_made(trained, command, failing, done):
    failing(Terminated())
    told = done(*FINETUNE, code=143)
    assert trained.find("robot", "voice")
    assert told.err.splitlines()[-1] == "error: terminated. Run the same command again to continue."
    assert told.out == ""


def test_without_a_card_nothing_is_said_of_one(trained, done):
    told = done(*FINETUNE, "--no-card")
    assert "card:" not in told.out
    assert "no card" not in told.err
    assert not trained.list("card")
