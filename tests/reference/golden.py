"""Reads golden figures: a folder of the official ones, or the subset that is committed here.

The subset is packed: safetensors bytes in planes (all first bytes of the floats, then all second, …), which
compresses exponents well. ``pe_scale`` changes no weight and no input, so of that model only two outputs lie here.
"""

import io
import lzma
import os
from pathlib import Path

import numpy as np
from safetensors.torch import load, load_file
from torch import Tensor

HERE = Path(__file__).parent
_BESIDE = HERE.parents[2] / "shared" / "golden"
_GIVEN = os.environ.get("VOXGRAD_GOLDEN")
_WHOLE = Path(_GIVEN) if _GIVEN else _BESIDE
_LONG = bool(os.environ.get("VOXGRAD_LONG")) and _WHOLE.is_dir()
FOLDERS = [HERE, _WHOLE] if _GIVEN or _LONG else [HERE]
"""The subset, and all figures where ``VOXGRAD_GOLDEN`` names them, or for `make test-long` beside the project."""


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of its packed form beside."""
    packed = path.with_suffix(".planes.xz")
    if packed.exists():
        planes = np.frombuffer(lzma.decompress(packed.read_bytes()), np.uint8)
        return load(planes.reshape(4, -1).T.tobytes())
    if path.parent == HERE and "_pe1" in path.name:
        same = read(path.with_name(path.name.replace("_pe1", "")))
        depends = ("reverse", "infer", "estimator", "diffusion")
        return {**{k: v for k, v in same.items() if not k.startswith(depends) or "weight" in path.name}, **_own(path)}
    return load_file(path)


def _own(path: Path) -> dict[str, Tensor]:
    """What the ``pe_scale`` 1 model has for itself; its shared outputs would be wrong and are left out."""
    own = path.with_suffix(".own.safetensors")
    return read(own) if own.with_suffix(".planes.xz").exists() else {}


def pack(path: Path, target: Path) -> None:
    """Packs a safetensors file; how the subset was made."""
    content = path.read_bytes()
    content = _aligned(content)
    planes = np.frombuffer(content, np.uint8).reshape(-1, 4).T
    target.write_bytes(lzma.compress(np.ascontiguousarray(planes).tobytes(), preset=9))


def _aligned(content: bytes) -> bytes:
    """The same file with its header padded, so that floats begin and end at multiples of four bytes."""
    header = int.from_bytes(content[:8], "little")
    body = content[8 + header :]
    text = content[8 : 8 + header] + b" " * (-header % 8)
    out = io.BytesIO()
    out.write(len(text).to_bytes(8, "little") + text + body)
    return out.getvalue()
