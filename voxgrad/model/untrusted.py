"""Untrusted checkpoints, turned into plain tensors by a process that may not take much memory.

Only tensors are unpickled (``weights_only=True``), so that no code of theirs runs; but a small file can still ask for
any amount of memory or time. So another process reads it, under limits, and hands safetensors back.
"""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load, load_file, save_file
from torch import Tensor

import voxgrad
from voxgrad.errors import BadInputError, EnvironmentFailureError, VoxgradError

if sys.platform != "win32":
    import resource

TENSORS = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int32, torch.int64})
"""What a weight may consist of."""

_ALLOWED = 256 << 20
"""Bytes of memory that reading may take beyond what the file's own size justifies."""
_SECONDS = 300
_REFUSED = 70  # exit code of the reading process where it tells a reason


def read_untrusted_checkpoint(path: Path, entry: str | None = None) -> dict[str, Tensor]:
    """Reads a ``.pt``, ``.pth``, ``.ckpt`` or ``.safetensors`` file, trusting nothing in it.

    The state dict is the file's, or that of its ``entry`` if it has one: dense tensors with memory of their own, all
    finite.

    Raises:
        BadInputError: no such file, not a checkpoint, a pickle that wants more than tensors, or tensors that no model
            has: not dense, of another type, not finite, or larger than the file that they come from.
        EnvironmentFailureError: there is no space for what it holds.
    """
    if not path.is_file():
        raise BadInputError(f"there is no checkpoint {path}", "Give the path of a file.")
    with TemporaryDirectory(prefix="voxgrad-") as scratch:
        target = Path(scratch) / "weights.safetensors"
        answer = _read_elsewhere(path.absolute(), target, "" if entry is None else entry)
        if answer is not None:
            raise answer
        return load(target.read_bytes())


def _read_elsewhere(path: Path, target: Path, entry: str) -> VoxgradError | None:
    # -P, and a path of our own: nothing that lies beside the checkpoint may be taken for a module.
    command = [sys.executable, "-P", "-m", __spec__.name, str(path), str(target), entry]
    package = str(Path(voxgrad.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": package, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=target.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return BadInputError(f"{path.name} takes too long to read", "Get it from its source.")
    if done.returncode == 0:
        return None
    if done.returncode == _REFUSED:
        is_bad, message, hint = json.loads(done.stdout)
        return BadInputError(message, hint) if is_bad else EnvironmentFailureError(message, hint)
    return _too_large(path)  # ended by the limit, where Python could not tell


def _too_large(path: Path) -> BadInputError:
    return BadInputError(
        f"{path.name} needs more memory than its size allows, or is damaged",
        "Download or copy it again.",
    )


def attempt(source: Path, target: Path, entry: str) -> VoxgradError | None:
    """Turns a checkpoint into a safetensors file; the part that runs in the other process.

    Returns:
        Why it was refused, see `read_untrusted_checkpoint`; None where it was not.
    """
    try:
        _convert(source, target, entry)
    except BadInputError as error:
        return error
    except OSError as error:
        return EnvironmentFailureError(
            f"cannot convert {source.name}: {error.strerror}", "Free some space for temporary files."
        )
    except Exception as error:  # noqa: BLE001 (damage makes the readers raise anything, assertions too)
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            return _too_large(source)
        return BadInputError(f"{source.name} is not a checkpoint, or is damaged", "Download or copy it again.")
    return None


def _convert(source: Path, target: Path, entry: str) -> None:
    content = _content(source)
    state = content.get(entry, content)
    if not isinstance(state, Mapping):
        raise BadInputError(
            f"the entry {entry} of {source.name} is not a state dict", "Give the generator's checkpoint."
        )
    left = 2 * source.stat().st_size + (1 << 20)  # half precision may have been packed, and tied weights are one
    plain = {}
    for name, tensor in state.items():
        problem = _problem(name, tensor)
        left -= tensor.nbytes if problem is None else 0
        if problem is None and left < 0:
            problem = "is larger than the file that it comes from"
        if problem is not None:
            raise BadInputError(f"{source.name}: {str(name)[:80]} {problem}", "Use another checkpoint.")
        plain[name] = tensor.detach().clone()
    save_file(plain, target)


def _content(source: Path) -> dict[str, Any]:
    try:
        if source.suffix == ".safetensors":
            return dict(load_file(source))
        content = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadInputError(
            f"{source.name} is not a checkpoint of plain tensors",
            "Export its state dict with torch.save(model.state_dict(), FILE) and import that.",
        ) from error
    if not isinstance(content, dict):
        raise BadInputError(f"{source.name} contains no state dict", "Give a file made by torch.save(state_dict).")
    return content


def _problem(name: object, tensor: object) -> str | None:
    """What is wrong with an entry of a state dict. Nothing is computed before its memory is known to be its own."""
    if not isinstance(name, str) or not isinstance(tensor, Tensor):
        return "is not a tensor"
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.dtype not in TENSORS:
        return f"is not a plain tensor but {tensor.layout}, {tensor.dtype}, on {tensor.device}"
    if not tensor.is_contiguous():
        return f"is not stored contiguously in its shape {tuple(tensor.shape)}"
    if not torch.isfinite(tensor).all():
        return "contains values that are not finite"
    return None


def _limit(size: int) -> None:
    """Allow this process what a file of ``size`` bytes justifies: itself, a copy, and what saving takes."""
    torch.set_num_threads(1)
    if sys.platform == "win32":
        return
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return  # only Linux keeps such a limit
    allowed = pages * os.sysconf("SC_PAGE_SIZE") + 5 * size + _ALLOWED
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * size + _ALLOWED, 3 * size + _ALLOWED))


def main(source: Path, target: Path, entry: str) -> int:
    """The other process: 0, or `_REFUSED` with the reason on standard output."""
    _limit(source.stat().st_size)
    refusal = attempt(source, target, entry)
    if refusal is None:
        return 0
    sys.stdout.write(json.dumps([type(refusal) is BadInputError, refusal.message, refusal.hint]))
    return _REFUSED


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
