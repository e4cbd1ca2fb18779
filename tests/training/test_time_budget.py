"""Budgets: what is understood, and that what is planned takes the time that was given."""

import pytest

from voxgrad.errors import BadInputError
from voxgrad.presets import load_preset
from voxgrad.training.time_budget import Cost, parse_budget, plan

FAST = load_preset("fast")
COSTS = [Cost(2.0, 0.3, 3.0), Cost(2.0, 0.8, 3.0)]
SAVING = 1.5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("2h", 7200), ("1h2m3s", 3723), (" 5M ", 300)],
)
def test_a_time_is_understood(text, seconds):
    assert parse_budget(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "20", "m", "1.5h", "-5m", "0s", "0h0m", "5 m", "30m1h", "20min", "1h1h", "٣m", "1e3s", "nan"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(BadInputError, match="is not a duration") as caught:
        parse_budget(text)
    assert caught.value.hint == "Write it like 90s, 20m, 1h30m or 2h."


def planned_seconds(found, costs, saving):
    """What a plan takes, added up in unsupported compression: event by event."""
    total, done = costs[-1].validation, 0
    for steps, cost in zip(found.steps, costs, strict=True):
        total += cost.begin
        for step in range(1, steps + 1):
            done += 1
            total += cost.step
            last = step == steps
            total += cost.validation if last or done % found.validate_every == 0 else 0
            total += saving if last or done % found.checkpoint_every == 0 else 0
    return total


@pytest.mark.parametrize("seconds", [60, 300, 1200, 7200])
def test_a_plan_takes_the_time_that_there_is_and_keeps_proportions(seconds):
    found = plan(COSTS, SAVING, FAST, seconds)
    assert 0.85 * seconds - 10 < planned_seconds(found, COSTS, SAVING) <= seconds
    assert sum(found.seconds) <= seconds
    assert all(took > 0 for took in found.seconds)
    wanted = FAST.stages[0].steps / FAST.stages[1].steps
    assert found.steps[0] / found.steps[1] == pytest.approx(wanted, rel=0.1)


def test_no_more_than_five_minutes_are_ever_at_stake():
    found = plan(COSTS, SAVING, FAST, 7200)
    assert found.checkpoint_every * COSTS[1].step < 400
    assert found.validate_every * COSTS[1].step < 400


def test_dear_validations_become_rare():
    dear = [Cost(2.0, 0.3, 60.0), Cost(2.0, 0.8, 60.0)]
    found = plan(dear, SAVING, FAST, 1200)
    assert planned_seconds(found, dear, SAVING) <= 1200
    assert sum(found.steps) / found.validate_every * 60 < 0.2 * 1200


@pytest.mark.parametrize("seconds", [-5, 0, 10, 21])
def test_where_nothing_fits_there_is_no_plan(seconds):
    assert plan(COSTS, SAVING, FAST, seconds) is None
