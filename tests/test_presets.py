from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.tables import rows
from voxgrad.errors import BadInputError
from voxgrad.presets import load_preset, preset_names, validated
from voxgrad.settings import MelSpec, Preset, SynthesisSpec

OWN = """
description: of my own
seed: 4
stages:
  - train: [encoder, durations]
    alignment: every_step
    steps: 10
  - train: [decoder]
    steps: 5
    crop: null
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(OWN, encoding="utf-8")
    return path


def refusal(name: str, *overrides: str) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        load_preset(name, overrides)
    assert not caught.value.message.endswith(".")
    assert caught.value.hint.endswith((".", "?"))
    return caught.value


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_that_ships_loads(name: str):
    preset = load_preset(name)
    assert preset.description
    trained = {part for stage in preset.stages for part in stage.train}
    if name == "instant":  # what finetune does before the first step does the rest
        assert trained == {"durations", "decoder"}
        return
    assert trained == {"encoder", "durations", "decoder"}
    # Alignments are searched for before anything relies on them.
    assert preset.stages[0].alignment == "every_step"


def test_the_presets_that_the_commands_default_to_are_there():
    assert {"base-small", "fast", "balanced", "quality", "tiny"} <= set(preset_names())


def test_a_file_of_ones_own(own: Path):
    preset = load_preset(str(own))
    assert (preset.seed, preset.stages[1].crop, preset.model.dec_dim) == (4, None, 64)
    own.rename(own.with_suffix(".yml"))
    assert load_preset(str(own.with_suffix(".yml"))) == preset


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("seed=7", lambda preset: preset.seed == 7),
        ("model.dec_dim=32", lambda preset: preset.model.dec_dim == 32),
        ("stages.0.steps=100", lambda preset: preset.stages[0].steps == 100),
        ("stages.1.learning_rate=1e-4", lambda preset: preset.stages[1].learning_rate == 1e-4),
        ("stages.0.crop=null", lambda preset: preset.stages[0].crop is None),
        ("stages.1.train=[decoder, durations]", lambda preset: preset.stages[1].train == ("decoder", "durations")),
        ("precision=float32", lambda preset: preset.precision == "float32"),
        ("description=a = b", lambda preset: preset.description == "a = b"),
    ],
)
def test_an_override_reaches_its_key(override: str, value, own: Path):
    changed = load_preset(str(own), [override])
    assert value(changed)
    assert not value(load_preset(str(own)))


def test_the_last_override_wins(own: Path):
    assert load_preset(str(own), ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("fats", "Did you mean fast?"),
        ("base_small", "Did you mean base-small?"),
        ("qqqq", "Choose from balanced, base, base-small, "),
        ("", "Choose from "),
        ("nowhere.yaml", "Choose from "),
        ("../presets/fast", "Choose from "),
    ],
)
def test_an_unknown_preset_names_the_nearest(name: str, hint: str):
    error = refusal(name)
    assert error.message == f"there is no preset {name}"
    assert error.hint.startswith(hint)


@pytest.mark.parametrize(("hint", "override", "message"), rows("presets.tsv"))
def test_a_setting_that_cannot_be_is_named_with_its_place(hint: str, override: str, message: str, own: Path):
    error = refusal(str(own), override)
    assert message in error.message
    assert error.hint.startswith(hint)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"stages: [", "own.yaml is not YAML"),
        (b"a: b: c", "own.yaml is not YAML"),
        (b"description: caf\xe9", "own.yaml is not YAML"),
        (b"\x00", "own.yaml is not YAML"),
        (b"!!python/object/apply:os.getcwd []", "own.yaml is not YAML"),
        (b"", "own.yaml contains no settings"),
        (b"- a\n- b\n", "own.yaml contains no settings"),
        (b"42", "own.yaml contains no settings"),
        (b"description: no stages\n", "own.yaml, stages: field required"),
        (b"1: 2\n", "own.yaml"),
        (b"description: x\nstages: []\n", "own.yaml, stages: "),
        (b"description: x\nstages: {}\n", "own.yaml, stages: "),
    ],
)
def test_a_broken_file_is_refused(content: bytes, message: str, own: Path):
    own.write_bytes(content)
    assert refusal(str(own)).message.startswith(message)


def test_a_preset_cannot_be_changed(own: Path):
    with pytest.raises(ValidationError, match="frozen"):
        load_preset(str(own)).seed = 3


def test_other_settings_are_validated_the_same_way():
    assert validated(SynthesisSpec, {"steps": 3}, "here").steps == 3
    with pytest.raises(BadInputError, match="here has no setting step") as caught:
        validated(SynthesisSpec, {"step": 3}, "here")
    assert caught.value.hint == "Did you mean steps?"
    with pytest.raises(BadInputError, match="here: f_min must lie below f_max"):
        validated(MelSpec, {"f_min": 9000}, "here")
    assert isinstance(validated(Preset, load_preset("tiny").model_dump(), "here"), Preset)
