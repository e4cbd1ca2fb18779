"""Hostile ONNX files are not taken."""

import random

import onnx
import pytest

from voxgrad.errors import BadInputError
from voxgrad.onnx.export import with_metadata
from voxgrad.onnx.file import DESCRIPTION, DIGEST, check, described
from voxgrad.onnx.runtime import MODEL


@pytest.fixture(scope="module")
def content(graph) -> bytes:
    return graph.path(MODEL).read_bytes()


def signed(model: onnx.ModelProto) -> bytes:
    """As who knows how would write it: with a digest that is right."""
    return with_metadata(model, {one.key: one.value for one in model.metadata_props if one.key != DIGEST})


def test_what_export_writes_is_taken_and_onnx_itself_finds_nothing_wrong(content):
    found = check(content)
    assert found.name == "small"
    assert found.lineage.keys() >= {"voice", "vocoder"}
    onnx.checker.check_model(onnx.load_model_from_string(content), full_check=True)


HARMS = {
    "operator": lambda model: model.graph.node.add(op_type="Loop", output=["looped"]),
    "domain": lambda model: setattr(model.graph.node[0], "domain", "com.evil"),
    "subgraph": lambda model: model.graph.node[0].attribute.add(type=5).g.node.add(op_type="Add"),
    "weights": lambda model: model.graph.initializer[0].external_data.add(key="location", value="../../etc/passwd"),
    "location": lambda model: setattr(model.graph.initializer[0], "data_location", onnx.TensorProto.EXTERNAL),
    "attribute": lambda model: (
        model.graph.node[0].attribute.add(type=4).t.external_data.add(key="location", value="/x")
    ),
    "input": lambda model: model.graph.input.add(name="key"),
    "type": lambda model: setattr(model.graph.input[0].type.tensor_type, "elem_type", 8),
    "functions": lambda model: model.functions.add(name="f", domain="local"),
    "sparse weights": lambda model: model.graph.sparse_initializer.add(),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_what_export_never_writes_is_refused_even_with_a_right_digest(content, harm):
    model = onnx.load_model_from_string(content)
    harm(model)
    with pytest.raises(BadInputError, match="differs from what voxgrad exports"):
        check(signed(model))


def test_a_changed_weight_is_refused(content):
    model = onnx.load_model_from_string(content)
    large = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    large.raw_data = large.raw_data[:-4] + b"\0\0\0\0"
    with pytest.raises(BadInputError, match="digest"):
        check(model.SerializeToString())


@pytest.mark.parametrize("description", ["", "[]", "{}", "null", '{"acoustic": 1}', "not JSON"])
def test_a_file_that_describes_no_voice_is_refused(content, description):
    model = onnx.load_model_from_string(content)
    for one in model.metadata_props:
        if one.key == DESCRIPTION:
            one.value = description
    with pytest.raises(BadInputError, match="is not an ONNX graph exported by voxgrad"):
        described(model.SerializeToString())


def test_damaged_files_are_refused_in_one_way(content):
    """Cut, changed and made of nothing: always a `BadInputError`, or the file as it was."""
    generator = random.Random(0)
    short = content[:4000] + content[-6000:]
    for number in range(150):
        damaged = bytearray(content if number < 8 else short)
        for _ in range(generator.randint(1, 6)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        del damaged[generator.randrange(len(damaged)) :]
        with pytest.raises(BadInputError):
            check(bytes(damaged))
    for nothing in (b"", b"\0", b"\xff" * 64, b"hello", b"\x08"):
        with pytest.raises(BadInputError):
            check(nothing)
