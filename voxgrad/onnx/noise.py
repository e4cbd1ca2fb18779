"""The normal numbers that torch draws from a seed, without torch."""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 16


def torch_normal(seed: int, count: int) -> NDArray[np.float32]:
    """What ``torch.randn(count, generator=torch.Generator().manual_seed(seed))`` gives on a processor.

    ATen fills blocks of 16 by Box and Muller's transform of 24-bit uniform numbers from a Mersenne Twister; the two
    agree to the rounding of logarithm and cosine.

    Args:
        seed: as torch takes it; the Twister looks at its lowest 32 bits.
        count: a multiple of 16, of which every beginning is that of a longer row.

    Raises:
        ValueError: ``count`` is not a multiple of 16.
    """
    if count % _BLOCK:
        raise ValueError(f"{count} is not a multiple of {_BLOCK}")
    twister = np.random.RandomState(seed & 0xFFFFFFFF)
    bits = twister.randint(0, 1 << 32, count, np.uint32) & np.uint32((1 << 24) - 1)
    uniform = (bits * np.float32(2.0**-24)).astype(np.float32).reshape(-1, 2, _BLOCK // 2)
    radius = np.sqrt(-2 * np.log(1 - uniform[:, 0]))
    angle = np.float32(2 * np.pi) * uniform[:, 1]
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), 1).astype(np.float32).reshape(-1)
