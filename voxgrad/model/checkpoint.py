"""Weights from and to files that this program wrote; `voxgrad.model.untrusted` reads those of others."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from voxgrad.errors import BadInputError
from voxgrad.events import few
from voxgrad.packing import Packed, Weights, worth_packing

Built = TypeVar("Built")

_RANDOM_FILLS = {
    Tensor.uniform_,
    Tensor.normal_,
    nn.init.uniform_,
    nn.init.normal_,
    nn.init.trunc_normal_,
    nn.init.kaiming_uniform_,
    nn.init.kaiming_normal_,
}
_SHOWN = 3  # names listed in an error before it says how many more there are


def build_strict(
    build: Callable[[], Built],
    state: Mapping[str, Any],
    what: str,
    module_of: Callable[[Any], nn.Module] = lambda built: built,
) -> Built:
    """Builds a module and loads ``state`` into it; takes no memory for it before the shapes are known to fit.

    ``build`` makes it, or what ``module_of`` finds it in, of sizes that an untrusted file may have chosen. Errors call
    the weights ``what``; they are those of `check_strict`.
    """
    with NoInitialization():
        with torch.device("meta"):
            check_strict(module_of(build()), state, what)
        built = build()
    module = module_of(built)
    expected = module.state_dict()
    widened = {name: tensor.to(expected[name].dtype) for name, tensor in state.items()}
    module.load_state_dict(widened, strict=True, assign=True)  # what is not copied need not be paged in
    return built


class NoInitialization(TorchFunctionMode):
    """Leaves parameters as they are allocated, where weights follow.

    Random numbers for 24 million weights take a third of a second, and on the ``meta`` device they make torch load its
    compiler, which takes one.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Calls ``func``, unless it fills a tensor with random numbers."""
        if func in _RANDOM_FILLS:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def check_strict(module: nn.Module, state: Mapping[str, Any], what: str) -> None:
    """Checks that ``state`` has exactly the names, shapes and types of ``module``, and every number finite.

    Raises:
        BadInputError: naming what is missing, unexpected, of another shape or type, or not finite.
    """
    expected = module.state_dict()
    hint = "Check the kind, the sizes and the number of speakers that the checkpoint was made with."
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    if missing or unexpected:
        wrong = {"lacks": missing, "has unknown": unexpected}
        found = [f"{problem} {few(names, _SHOWN)}" for problem, names in wrong.items() if names]
        raise BadInputError(f"{what} {' and '.join(found)}", hint)
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor):
            raise BadInputError(f"{what}: {name} is not a tensor", hint)
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)} where {tuple(expected[name].shape)} is expected"
            raise BadInputError(f"{what}: {name} is {shapes}", hint)
        # What is narrower widens without loss; anything else would be changed silently.
        if torch.promote_types(tensor.dtype, expected[name].dtype) != expected[name].dtype or (
            tensor.is_floating_point() != expected[name].is_floating_point()
        ):
            raise BadInputError(f"{what}: {name} is {tensor.dtype} where {expected[name].dtype} is expected", hint)
        # A sum is finite only where everything is, or overflows; to look at every number takes ten times as long.
        if not tensor.sum().isfinite() and not tensor.isfinite().all():
            raise BadInputError(f"{what}: {name} contains values that are not finite", "Use another checkpoint.")


def save_weights(
    path: Path, state: Mapping[str, Tensor], dtype: torch.dtype | None = None, *, packed: bool = False
) -> None:
    """Writes a safetensors file; floating-point tensors become ``dtype`` where one is given.

    If ``packed``, large matrices become pairs of 8-bit integers, which together have 16 bits: see `voxgrad.packing`.
    """
    ready: dict[str, Tensor] = {}
    for name, tensor in state.items():
        plain = (tensor.to(dtype) if dtype and tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        if packed and worth_packing(tuple(plain.shape)):
            parts = Packed.of(plain.float().numpy()).parts(name)
            ready |= {part: torch.from_numpy(values) for part, values in parts.items()}
        else:
            ready[name] = plain
    save_file(ready, path)


def read_weights(source: Path | Weights) -> dict[str, Tensor]:
    """Reads a safetensors file that this program wrote; packed and half-precision tensors come back as float32.

    Raises:
        IntegrityError: the file is damaged.
    """
    weights = source if isinstance(source, Weights) else Weights(source)
    return {name: torch.from_numpy(_widened(value)) for name, value in weights.items()}


def _widened(value: Packed | NDArray[Any]) -> NDArray[Any]:
    if isinstance(value, Packed):
        return value.values
    return value.astype(np.float32, copy=False) if value.dtype.kind == "f" else value
