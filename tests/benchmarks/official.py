"""The official operations, one after the other, for benchmarks to be measured against."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor

from voxgrad.model import group_norm_mish
from voxgrad.model.unet import Frames, LinearAttention

CONTIGUOUS = torch.Tensor.contiguous


def plain_attention(self: LinearAttention, x: Tensor, frames: Frames, gate: Tensor) -> Tensor:
    """Linear attention as the official network computes it: (batch, channels, bands, frames) in and out."""
    del frames
    batch, _, bands, length = x.shape
    query, key, value = self.to_qkv(x).view(batch, 3, self.heads, -1, bands * length).unbind(1)
    context = torch.einsum("bhdn,bhen->bhde", key.softmax(-1), value)
    out = torch.einsum("bhde,bhdn->bhen", context, query)
    return self.to_out(out.reshape(batch, -1, bands, length)) * gate


@contextmanager
def official_operations() -> Iterator[None]:
    """Attention written out, torch's own group normalisation and Mish, torch's own memory layout."""

    def contiguous(tensor: Tensor, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
        del memory_format
        return CONTIGUOUS(tensor)

    with (
        patch.object(LinearAttention, "forward", plain_attention),
        patch.object(group_norm_mish, "takes", lambda x: False),
        patch.object(torch.Tensor, "contiguous", contiguous),
    ):
        yield
