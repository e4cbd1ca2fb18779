import io

import pytest

from voxgrad.cli.shared_options import Session
from voxgrad.cli.terminal import Renderer, filled
from voxgrad.events import Advanced, Began, Ended, Event, Measured, Said, Skipped


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(events: list[Event], session: Session, seconds: float = 1.0, stream: io.StringIO | None = None) -> list[str]:
    """The lines that come of events, one every ``seconds``."""
    now = 0.0

    def clock() -> float:
        return now

    target = io.StringIO() if stream is None else stream
    with Renderer(session, target, clock) as renderer:
        for event in events:
            now += seconds
            renderer.emit(event)
    return target.getvalue().splitlines()


def work(total: int | None, done: int, first: int = 1) -> list[Event]:
    advances = [Advanced("Training", number, "loss 1.2") for number in range(first, done + 1)]
    return [Began("Training", total, "steps"), *advances, Ended("Training")]


def test_without_a_terminal_there_is_a_line_now_and_then():
    lines = shown(work(100, 100), Session())
    assert lines[0] == "Training (100 steps) …"
    assert lines[1:3] == [
        "Training: 10/100 steps · 1/s · 1:30 left · loss 1.2",
        "Training: 20/100 steps · 1/s · 1:20 left · loss 1.2",
    ]
    assert lines[-1] == "Training: 100 steps in 1:41"
    assert len(lines) == 12


def test_slow_work_is_heard_of_every_ten_seconds():
    assert len(shown(work(100_000, 100), Session())) == 1 + 10 + 1


def test_quick_work_does_not_flood():
    lines = shown(work(100, 100), Session(), seconds=0.001)
    assert lines == ["Training (100 steps) …", "Training: 100 steps in 0 s"]


def test_work_without_an_end_in_sight_tells_no_time_left():
    lines = shown(work(None, 20), Session())
    assert lines[0] == "Training …"
    assert lines[1] == "Training: 10 steps · 1/s · loss 1.2"


def test_a_resumed_run_is_not_credited_with_what_was_done_before():
    _, *advances = work(1000, 920, first=901)
    lines = shown([Began("Training", 1000, "steps", 900), *advances], Session())
    assert lines[0] == "Training (1000 steps) after 900/1000 steps …"
    assert lines[1] == "Training: 910/1000 steps · 1/s · 1:30 left · loss 1.2"
    assert lines[-1] == "Training: 20 steps in 21 s"


def test_a_bar_begins_where_it_resumes(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    text = "\n".join(shown([Began("Training", 1000, "steps", 900)], Session(), stream=Terminal()))
    assert text.count("━") >= 18
    assert "900/1000 steps" in text


def test_units_of_an_earlier_command_are_not_in_the_rate():
    there = [event for n in range(1, 51) for event in (Skipped("say"), Advanced("say", n))]
    made = [Advanced("say", n) for n in range(51, 62)]
    lines = shown([Began("say", 100, "texts"), *there, *made, Ended("say")], Session())
    assert not any("left" in line for line in lines[:-2])
    assert lines[-2] == "say: 60/100 texts · 1/s · 40 s left"
    assert lines[-1].startswith("say: 11 texts in ")


def test_seconds_of_a_budget_are_shown_as_times():
    lines = shown([Began("Training", 1200, "seconds"), *(Advanced("Training", n) for n in range(1, 12))], Session())
    assert lines[1] == "Training: 10 s of 20:00 · 19:50 left"


def test_long_lines_are_broken_between_words_at_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    text = "  one two three `voxgrad show alice` four-and-twenty /a/very/long/path/that/stays"
    assert filled(text, Terminal()).splitlines() == [
        "  one two three",
        "  `voxgrad show alice`",
        "  four-and-twenty",
        "  /a/very/long/path/that/stays",
    ]
    assert filled(text, io.StringIO()) == text


def test_the_rate_is_that_of_the_last_half_minute():
    fast = [Advanced("Training", 100 * number) for number in range(60)]
    slow = [Advanced("Training", 5900 + number) for number in range(60)]
    lines = shown([Began("Training", 10_000, "steps"), *fast, *slow], Session())
    assert "100/s" in lines[1]
    assert " 1/s" in lines[-1]


def test_progress_that_was_never_announced_is_shown_all_the_same():
    assert shown([Advanced("Training", 3), Ended("Training"), Ended("Training")], Session()) == [
        "Training …",
        "Training: 3 in 1 s",
    ]


REMARKS: list[Event] = [
    Said("normal"),
    Said("small print", "detail"),
    Said("beware of [red]brackets", "warning"),
    Measured(10, "decoder", {"loss": 0.12345, "gradient": 2.0}),
    Began("Training", 2, "steps"),
    Ended("Training"),
]


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
@pytest.mark.parametrize(
    ("session", "expected"),
    [
        (Session(quiet=True), {"warning"}),
        (Session(), {"warning", "normal"}),
        (Session(json=True), {"warning", "normal"}),
        (Session(verbose=True), {"warning", "normal", "detail", "measured"}),
    ],
)
def test_what_is_said_follows_the_session(session: Session, expected: set[str], stream):
    text = "\n".join(shown(REMARKS, session, stream=stream()))
    marks = {
        "normal": "normal",
        "detail": "small print",
        "warning": "warning: beware of [red]brackets",
        "measured": "decoder 10: loss 0.1235  gradient 2",
    }
    assert {name for name, mark in marks.items() if mark in text} == expected
    assert ("Training" in text) == (not session.quiet)


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    text = "\n".join(shown(work(100, 40)[:-1], Session(), stream=Terminal()))
    assert "━" in text
    assert "40/100 steps · 1/s · 1:00 left · loss 1.2" in text


def test_a_bar_is_put_away_when_work_fails(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()

    def fail():
        with Renderer(Session(), stream) as renderer:
            renderer.emit(Began("Training", 10, "steps"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    # The cursor is shown again.
    assert stream.getvalue().rstrip().endswith("\x1b[?25h")
