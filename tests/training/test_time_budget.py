"""Budgets: what is understood, and how the time is divided among the stages."""

import pytest

from voxgrad.errors import BadInputError
from voxgrad.presets import load_preset
from voxgrad.training.publish import _SAVING, FINISHING, Cost, shared_out
from voxgrad.training.run import RunOptions, parse_budget, with_time_for_card

FAST = load_preset("fast")
COSTS = [Cost(2.0, 0.3, 3.0), Cost(2.0, 0.8, 3.0)]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("2h", 7200), ("1h2m3s", 3723), (" 5M ", 300)]
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


@pytest.mark.parametrize("seconds", [60, 300, 7200])
def test_all_stages_together_take_the_time_that_there_is_in_the_proportions_of_their_steps(seconds):
    first, second = shared_out(COSTS, FAST.stages, RunOptions(seconds), 4.0)
    ends = FINISHING + 3 * 3.0 + 2 * _SAVING
    assert first + second + ends + 4.0 == pytest.approx(seconds)
    wanted = (2.0 + FAST.stages[0].steps * 0.3) / (2.0 + FAST.stages[1].steps * 0.8)
    assert first / second == pytest.approx(wanted)


@pytest.mark.parametrize(("budget", "passed"), [(60, 40), (20, 0.5), (400, 370), (1, 8)])
def test_where_not_every_stage_gets_a_step_a_longer_budget_is_advised_that_is_enough(budget, passed):
    with pytest.raises(BadInputError, match=f"a budget of {budget} s is too short .*: {passed:.0f} s passed") as caught:
        shared_out(COSTS, FAST.stages, with_time_for_card(RunOptions(budget)), passed)
    advised = parse_budget(caught.value.hint.removeprefix("Give at least ").partition(",")[0])
    assert advised > budget
    assert shared_out(COSTS, FAST.stages, with_time_for_card(RunOptions(advised)), 1.2 * passed)
