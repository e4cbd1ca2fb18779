"""Whose voice it is: said by options, asked at a terminal, kept to the speech, and required for a clone."""

import json
import sys

import pytest

from voxgrad.store import Store


def statement(command, folder, *arguments: object) -> str | None:
    outcome = command("prepare", folder, *arguments, "--json")
    assert outcome.code == 0, outcome.err
    answer = json.loads(outcome.out)
    return answer["consent"]


def test_the_statement_is_the_speakers_or_a_reason(folder, command):
    agreed = ("--consent", "I  allow it.", "--speaker", "Ann Lee")
    assert statement(command, folder, *agreed) == "Ann Lee: I allow it."
    dataset = Store.open().find("voice", "dataset")
    assert dataset.manifest.consent == "Ann Lee: I allow it."
    assert dataset.manifest.metrics["speakers"] == {"Ann Lee": 3}
    assert statement(command, folder, "--no-consent-needed", "public domain") == "not needed: public domain"
    assert statement(command, folder) is None


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["1"], "not needed: my own voice"),
        (["5", "x", "3"], "not needed: public domain or synthetic"),
        (["2", "Ann Lee", "My voice for Bob's book."], "Ann Lee: My voice for Bob's book."),
        (["4"], None),
    ],
)
def test_a_person_at_a_terminal_is_asked(answers, expected, folder, command, monkeypatch):
    given = iter(answers)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda *words, **options: next(given))
    assert command("prepare", folder).code == 0
    assert Store.open().find("voice", "dataset").manifest.consent == expected
    assert not list(given)


def test_without_a_statement_nothing_is_cloned(chain, furnished, command, refused, steps):
    outcome = command("prepare", chain.recordings, "--name", "unsaid")
    assert "cannot be cloned yet" in outcome.out
    line = refused("finetune", "--data", "unsaid", "--base", "robots", *steps)
    assert "dataset unsaid@v1 has no statement that its voice may be cloned" in line
    assert 'voxgrad prepare DIR --name unsaid --no-consent-needed "my own voice"' in line


def test_the_statement_travels_to_the_speech(chain):
    consents = {one.manifest.consent for one in (chain.dataset, chain.voice, chain.speech)}
    assert consents == {"not needed: synthetic"}
