"""Checkpoints are read strictly; untrusted ones are refused in one line by a process of limited memory."""

import os
import pickle
import resource
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.model import untrusted
from voxgrad.model.checkpoint import build_strict, read_weights, save_weights
from voxgrad.model.untrusted import read_untrusted_checkpoint

LONG = bool(os.environ.get("VOXGRAD_LONG"))


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return nn.Linear(300, 20).state_dict()


def test_half_precision_comes_back_as_float32(tmp_path, state):
    save_weights(tmp_path / "half.safetensors", state, torch.float16)
    read = read_weights(tmp_path / "half.safetensors")
    assert all(read[key].dtype == torch.float32 for key in state)
    assert all((read[key] - state[key]).abs().max() < 1e-3 for key in state)


def test_a_cut_file_is_damaged(tmp_path, state):
    save_weights(tmp_path / "a.safetensors", state)
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-20])
    with pytest.raises(IntegrityError):
        read_weights(tmp_path / "a.safetensors")


def linear(weights):
    return build_strict(lambda: nn.Linear(300, 20), weights, "it")


def test_exact_names_shapes_and_finite_numbers(state):
    module = linear(state)
    assert torch.equal(module.weight, state["weight"])
    with pytest.raises(BadInputError, match="lacks bias"):
        linear({"weight": state["weight"]})
    with pytest.raises(BadInputError, match="unknown extra"):
        linear({**state, "extra": state["bias"]})
    with pytest.raises(BadInputError, match=r"weight is \(300, 20\) where \(20, 300\)"):
        linear({**state, "weight": state["weight"].T})
    with pytest.raises(BadInputError, match="bias is not a tensor"):
        linear({**state, "bias": 3})
    with pytest.raises(BadInputError, match="not finite"):
        linear({**state, "bias": torch.full((20,), float("nan"))})


def test_a_model_of_another_size_is_refused_before_it_takes_memory():
    wide = {"weight": torch.zeros(1, 10**6), "bias": torch.zeros(1)}
    with pytest.raises(BadInputError, match="where"):
        build_strict(lambda: nn.Linear(10**6, 10**6), wide, "it")  # of 4 TB


def test_narrow_numbers_widen_and_others_are_refused(state):
    half = {name: tensor.half() for name, tensor in state.items()}
    built = linear(half)
    assert built.weight.dtype == torch.float32
    assert torch.equal(built.weight, half["weight"].float())
    for dtype in (torch.float64, torch.int64):
        with pytest.raises(BadInputError, match="is expected"):
            linear({**state, "bias": state["bias"].to(dtype)})


def attempted(path: Path) -> tuple[str | None, int]:
    """As `read_untrusted_checkpoint` does it, but in a fork: the reason, and bytes of memory that it took."""
    target = path.parent / "converted.safetensors"
    answer, say = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            untrusted._limit(path.stat().st_size)
            refusal = untrusted.attempt(path, target, "")
            took = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            os.write(say, pickle.dumps((None if refusal is None else str(refusal), 1024 * took)))
        finally:
            os._exit(0)
    os.close(say)
    with os.fdopen(answer, "rb") as pipe:
        told = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    target.unlink(missing_ok=True)
    assert status <= 0
    return pickle.loads(told) if told else (f"a. ended with {status}", 0)  # noqa: S301 (our own)


@pytest.mark.usefixtures("untrusted_read_in_process")
def test_all_four_forms_come_back_as_they_were(state, tmp_path):
    for name in ("a.pt", "b.pth", "c.ckpt"):
        torch.save({"generator": state} if name == "b.pth" else state, tmp_path / name)
    save_file(state, tmp_path / "d.safetensors")
    for name in ("a.pt", "b.pth", "c.ckpt", "d.safetensors"):
        read = read_untrusted_checkpoint(tmp_path / name, "generator")
        assert read.keys() == state.keys()
        assert all(torch.equal(read[key], state[key]) for key in state)


@pytest.mark.usefixtures("untrusted_read_in_process")
def test_tied_and_sliced_weights_come_back(state, tmp_path):
    tied = {**state, "again": state["weight"], "slice": state["weight"][3:5]}
    torch.save(tied, tmp_path / "a.pt")
    read = read_untrusted_checkpoint(tmp_path / "a.pt")
    assert all(torch.equal(read[key], tied[key]) for key in tied)


class Evil:
    """Leaves a trace where it is unpickled by somebody who is careless."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


def test_code_in_a_pickle_never_runs(state, tmp_path, capfd):
    trace = tmp_path / "trace"
    (tmp_path / "bare.pt").write_bytes(pickle.dumps({"weight": Evil(trace)}, protocol=2))
    torch.save({**state, "evil": Evil(trace)}, tmp_path / "zip.pt")
    torch.save({**state, "evil": Evil(trace)}, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    for name in ("bare.pt", "zip.pt", "old.ckpt"):
        assert str(attempted(tmp_path / name)[0]).startswith(f"{name} is not a checkpoint of plain tensors")
    assert not trace.exists()
    assert capfd.readouterr() == ("", "")


def test_what_lies_beside_a_checkpoint_is_never_imported(state, tmp_path, monkeypatch):
    for module in ("torch", "json", "resource", "voxgrad", "sitecustomize"):
        (tmp_path / f"{module}.py").write_text("import os; os._exit(3)")
    torch.save(state, tmp_path / "a.pt")
    monkeypatch.chdir(tmp_path)
    read = read_untrusted_checkpoint(Path("a.pt"))  # in a process of its own
    assert all(torch.equal(read[key], state[key]) for key in state)


def giant() -> torch.Tensor:
    """Of 4 TB, stored in four bytes."""
    return torch.zeros(1).expand(10**6, 10**6)


CORPUS = {
    "giant of stride 0": lambda state: {"weight": giant()},
    "giant of stride 0, flat": lambda state: {"weight": torch.zeros(1).expand(10**12)},
    "the same memory a thousand times": lambda state: {str(n): state["weight"] for n in range(1000)},
    "transposed": lambda state: {**state, "weight": state["weight"].T},
    "NaN": lambda state: {**state, "bias": torch.full((20,), torch.nan)},
    "infinity": lambda state: {**state, "bias": torch.full((20,), -torch.inf)},
    "sparse": lambda state: {**state, "weight": state["weight"].to_sparse()},
    "quantised": lambda state: {**state, "weight": torch.quantize_per_tensor(state["weight"], 0.1, 0, torch.qint8)},
    "complex": lambda state: {**state, "bias": torch.zeros(20, dtype=torch.complex64)},
    "booleans": lambda state: {**state, "bias": torch.zeros(20, dtype=torch.bool)},
    "meta": lambda state: {**state, "bias": torch.zeros(20, device="meta")},
    "no tensor": lambda state: {**state, "bias": [1.0, 2.0]},
    "no name": lambda state: {1: state["bias"]},
    "a list": lambda state: [state],
    "a tensor": lambda state: state["weight"],
    "a module": lambda state: nn.Linear(3, 2),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("what", CORPUS)
@pytest.mark.parametrize("ending", ["pt", pytest.param("old.pt", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")
def test_each_of_the_corpus_is_refused_in_little_memory(state, tmp_path, what, ending):
    path = tmp_path / f"a.{ending}"
    torch.save(CORPUS[what](state), path, _use_new_zipfile_serialization=ending == "pt")
    reason, took = attempted(path)
    assert reason is not None
    assert reason.startswith("a.")
    assert "\n" not in reason
    assert took < untrusted._ALLOWED


HEADER = "a header of safetensors that is too long"
CONTENT = {
    "nothing": b"",
    "text": b"weights",
    "a web page": b"<!DOCTYPE html><html>",
    "an LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    "a zip of nothing": b"PK\5\6" + bytes(18),
    "a number": b"\x80\x02K\x01.",
    "a long pickle": b"\x80\x02" + b"]" * 10**5 + b".",
    HEADER: (2**60).to_bytes(8, "little") + b"{}",
}


@pytest.mark.parametrize(
    ("what", "ending"),
    [*((what, "pt") for what in CONTENT), *((what, "safetensors") for what in ("nothing", "text", HEADER))],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, what, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(CONTENT[what])
    reason, took = attempted(path)
    assert reason is not None
    assert "\n" not in reason
    assert took < untrusted._ALLOWED


@pytest.mark.slow
def test_a_bomb_meets_the_limit(state, tmp_path):
    """Records of a checkpoint are stored plain; here they are packed, 1 GB in 1 MB."""
    torch.save(state, tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in plain.namelist():
            if name.endswith("/data/0"):
                with bomb.open(name, "w", force_zip64=True) as record:
                    for _ in range(1000):
                        record.write(bytes(1 << 20))
            else:
                bomb.writestr(name, plain.read(name))
    with pytest.raises(BadInputError, match=r"bomb\.pt .* damaged"):
        read_untrusted_checkpoint(tmp_path / "bomb.pt")
    reason, took = attempted(tmp_path / "bomb.pt")
    assert reason is not None
    assert took < untrusted._ALLOWED + 5 * (tmp_path / "bomb.pt").stat().st_size


def test_time_is_limited_too(state, tmp_path, monkeypatch):
    torch.save(state, tmp_path / "a.pt")
    monkeypatch.setattr(untrusted, "_SECONDS", 0.01)
    with pytest.raises(BadInputError, match="takes too long"):
        read_untrusted_checkpoint(tmp_path / "a.pt")


edits = st.lists(
    st.tuples(st.sampled_from(["set", "set", "insert", "cut"]), st.integers(0, 10**6), st.integers(0, 255)),
    min_size=1,
    max_size=4,
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@settings(
    max_examples=1000 if LONG else 12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(edits=edits, form=st.sampled_from(["zip.pt", "old.pt", "a.safetensors"]))
def test_a_mutated_checkpoint_is_read_or_refused_in_one_line(tmp_path_factory, mutated, edits, form):
    place = tmp_path_factory.mktemp("mutation")
    small = {"weight": torch.arange(12.0).reshape(3, 4), "bias": torch.zeros(3)}
    path = place / form
    if form == "a.safetensors":
        save_file(small, path)
    else:
        torch.save(small, path, _use_new_zipfile_serialization=form == "zip.pt")
    path.write_bytes(mutated(path.read_bytes(), edits))
    reason, took = attempted(path)
    assert reason is None or "\n" not in reason
    assert took < untrusted._ALLOWED
    assert [one.name for one in place.iterdir()] == [form]
    shutil.rmtree(place)
