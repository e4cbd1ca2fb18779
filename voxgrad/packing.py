"""Files of weights: in 16 bits, or as the difference from those of a base.

In 16 bits, a matrix is two of 8-bit integers, of which ONNX Runtime multiplies by the first as it is.

A row w of a matrix has the scale s = max|w| / 127. Its values are s (high + low / 254), where both are integers from
-127 to 127: 16-bit fixed-point numbers, at most s / 508 away from w. The 8-bit value alone, s high, is w as symmetric
quantisation by rows has it.

What fine-tuning adds to a matrix is nearly of low rank (Hu et al., 2021, LoRA). A file of differences has the largest
singular vectors of every matrix, in 8 bits, and of everything else the difference itself. Needs no torch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from voxgrad.errors import IntegrityError

WEIGHTS: Final = "weights.safetensors"
"""The file of a base, a voice or a vocoder."""
EMBEDDING: Final = "spk_emb.weight"
"""The tensor of the speakers' embeddings."""
DETAIL_GAINS: Final = "frame_prior.detail_gains"
"""The tensor of the speakers' gains of the postfilter."""
DIFFERENCE: Final = "difference.safetensors"
"""The file of a voice that needs the weights of its base."""
RANK: Final = 32
"""Of what is kept of a difference; docs/research/cloning.md has the figures of others."""
_LOW: Final = ":low"
_SCALE: Final = ":scale"
"""Suffixes of the names of a packed tensor's other parts; the name itself is of the 8-bit values."""
_UP, _DOWN, _ADDED, _ROWS = ":up", ":down", ":added", ":rows"
"""Suffixes of the names of a difference's parts: two packed matrices whose product it is, or the difference itself; and
rows that the base does not have."""
_LEVELS: Final = 127
_STEPS: Final = 254
"""Of the low part in one of the high part."""
_TINY: Final = np.float32(1e-30)
_NOTHING: Final = 1e-6
"""Of the largest singular value: less is rounding."""
_BLOCK: Final = 1 << 16
_SMALLEST: Final = 16384
"""Elements of a matrix that is worth packing."""
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Packed:
    """A tensor in 16 bits; its first axis is that of the rows."""

    high: NDArray[np.int8]
    """(rows, …)."""
    scale: Array
    """(rows,)."""
    low: NDArray[np.int8] | None = None
    """(rows, …); None where 8 bits are enough."""

    @classmethod
    def of(cls, values: NDArray[Any], *, low: bool = True) -> "Packed":
        """Pack a tensor of at least two axes, in 16 bits or without ``low`` in 8."""
        rows = values.reshape(len(values), -1)
        high, scale = np.empty(rows.shape, np.int8), np.empty(len(rows), np.float32)
        fine = np.empty(rows.shape, np.int8) if low else None
        step = max(1, _BLOCK // rows.shape[1])
        for start in range(0, len(rows), step):  # blocks that stay in the processor's cache
            block = slice(start, start + step)
            rest = rows[block].astype(np.float32)
            scale[block] = np.maximum(rest.max(1), -rest.min(1)).clip(_TINY) / np.float32(_LEVELS)
            rest /= scale[block, None]
            whole = np.rint(rest)
            high[block] = whole
            if fine is not None:
                fine[block] = np.rint((rest - whole) * _STEPS)
        shape = values.shape
        return cls(high.reshape(shape), scale, None if fine is None else fine.reshape(shape))

    @property
    def values(self) -> Array:
        """The tensor, float32."""
        values = self.high.astype(np.float32)
        if self.low is not None:
            values += self.low.astype(np.float32) * np.float32(1 / _STEPS)
        values *= self.scale.reshape(-1, *[1] * (values.ndim - 1))
        return values

    def parts(self, name: str) -> dict[str, NDArray[np.int8] | Array]:
        """The tensors of a file that hold it."""
        rest = {} if self.low is None else {name + _LOW: self.low}
        return {name: self.high, name + _SCALE: self.scale, **rest}


def worth_packing(shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape is a large matrix.

    >>> worth_packing((384, 416)), worth_packing((384,)), worth_packing((384, 1, 7))
    (True, False, False)
    """
    return len(shape) > 1 and int(np.prod(shape)) >= _SMALLEST


def as_matrix(values: NDArray[Any]) -> NDArray[Any]:
    """Weights of a linear layer or a convolution, (out, in) or (out, in, kernel), as (out, kernel * in)."""
    return values.swapaxes(1, 2).reshape(len(values), -1) if values.ndim == 3 else values


class Weights(Mapping[str, Packed | Array]):
    """The tensors of a safetensors file, read when they are asked for.

    Args:
        path: the file.
        base: the weights that it is the difference from; None: it is all that there is.
        left_out: what the names of tensors begin with that are the base's all the same, but for rows that it has not.
        embedding: the weights whose speaker embedding takes the place of the base's; None: the base's own.

    Raises:
        IntegrityError: it cannot be read.
    """

    def __init__(
        self,
        path: Path,
        base: "Weights | None" = None,
        left_out: tuple[str, ...] = (),
        embedding: "Weights | None" = None,
    ) -> None:
        self.path, self.base, self._embedding = path, base, embedding
        try:
            file: Any = safe_open(path, "numpy")
            names = set(file.keys())
            kept = {name for name in names if name.endswith(_ROWS) or not name.startswith(left_out)}
            self._file, self._held = file, kept
        except (SafetensorError, OSError) as error:
            message = f"{path.name} does not contain readable weights"
            raise IntegrityError(message, "Import a copy of the artifact.") from error

    def __iter__(self) -> Iterator[str]:
        if self.base is not None:
            return iter(self.base)
        return (name for name in self._held if not name.endswith((_LOW, _SCALE)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> Packed | Array:
        if (source := self._source(name)) is not None:
            return self.floats(name) if self._changes(name) else source[name]
        return self._tensor(name)

    def floats(self, name: str) -> Array:
        """A tensor in float32, with all bits that there are."""
        if (source := self._source(name)) is None:
            found = self[name]
            return found.values if isinstance(found, Packed) else np.asarray(found, np.float32)
        values = source.floats(name)
        if name + _ADDED in self._held:
            values = values + self._file.get_tensor(name + _ADDED).astype(np.float32)
        elif name + _UP in self._held:
            up, down = (self._tensor(name + part) for part in (_UP, _DOWN))
            if isinstance(up, Packed) and isinstance(down, Packed):
                values = values + (up.values.T @ down.values).reshape(values.shape)
        if name + _ROWS in self._held:
            values = np.concatenate([values, self._file.get_tensor(name + _ROWS).astype(np.float32)])
        return values

    def integers(self, name: str) -> Packed:
        """A matrix in 8-bit integers; of a packed one, the low halves are not read."""
        source = self._source(name)
        if source is not None and not self._changes(name):
            return source.integers(name)
        found = self._tensor(name, low=False) if source is None else self.floats(name)
        return found if isinstance(found, Packed) else Packed.of(found, low=False)

    def _source(self, name: str) -> "Weights | None":
        """What a tensor is the difference from; None where it is all that there is."""
        return self.base if self._embedding is None or name != EMBEDDING else self._embedding

    def _changes(self, name: str) -> bool:
        return any(name + part in self._held for part in (_UP, _ADDED, _ROWS))

    def _tensor(self, name: str, *, low: bool = True) -> Packed | Array:
        if name not in self._held:
            raise IntegrityError(f"{self.path.name} has no weights {name}", "Import a copy of the artifact.")
        values: NDArray[Any] = self._file.get_tensor(name)
        if name + _SCALE not in self._held:
            return values
        fine = self._file.get_tensor(name + _LOW) if low and name + _LOW in self._held else None
        return Packed(values, self._file.get_tensor(name + _SCALE), fine)


def difference(weights: Weights, base: Weights, rank: int = RANK) -> dict[str, NDArray[Any]]:
    """The tensors of a file that holds the difference of weights from those of a base, which may have fewer rows.

    Raises:
        ValueError: they are not of the same architecture.
    """
    if {*weights} != {*base}:
        raise ValueError("the weights have other names than the base's")
    tensors: dict[str, NDArray[Any]] = {}
    for name in weights:
        ours, theirs = weights.floats(name), base.floats(name)
        added = ours[: len(theirs)] - theirs if theirs.ndim else ours - theirs
        if theirs.ndim and len(ours) > len(theirs):
            tensors[name + _ROWS] = ours[len(theirs) :].astype(np.float16)
        if not added.any():
            continue
        if not worth_packing(added.shape):
            tensors[name + _ADDED] = added.astype(np.float16)
            continue
        left, sizes, right = np.linalg.svd(added.reshape(len(added), -1), full_matrices=False)
        kept = min(rank, int((sizes > _NOTHING * sizes[0]).sum()))
        shares = np.sqrt(sizes[:kept, None])
        for part, factor in ((_UP, left.T[:kept] * shares), (_DOWN, right[:kept] * shares)):
            tensors |= Packed.of(factor.astype(np.float32), low=False).parts(name + part)
    return tensors
