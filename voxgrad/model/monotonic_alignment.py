"""Monotonic Alignment Search (Kim et al., Glow-TTS, 2020, algorithm 1): which token owns which mel frame.

The mel is taken as Gaussian around every token's mean, N(mu, I), because a path's likelihood then is a sum over
its cells, which dynamic programming maximises. Arrays are time-major, so that the inner loop runs over adjacent
tokens and vectorises; decisions are kept as bytes and come out as durations, never as a path of floats.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from voxgrad.errors import BadInputError

_WORTH_A_THREAD = 10_000_000  # cells; fewer are done before threads pay


def log_prior(mu_x: Tensor, y: Tensor) -> Tensor:
    """Log-likelihood of every frame under every token's N(mu, I), up to what cannot move the alignment.

    −½‖y − mu‖² = y·mu − ½‖mu‖² − ½‖y‖²; the last term and the constant are the same for all tokens of a frame,
    and every path covers every frame once, so both are left out.

    Args:
        mu_x: (batch, n_feats, tokens).
        y: mels (batch, n_feats, frames).

    Returns:
        (batch, frames, tokens), time-major.
    """
    return y.transpose(1, 2) @ mu_x - 0.5 * mu_x.square().sum(1)[:, None]


def log_likelihood(mu_y: Tensor, y: Tensor) -> float:
    """Mean over frames of log N(y; mu, I), the bands of a frame summed; both (n_feats, frames), without padding.

    >>> round(log_likelihood(torch.zeros(2, 3), torch.zeros(2, 3)), 4)  # two bands of −½ log 2π
    -1.8379
    """
    constant = 0.5 * len(y) * math.log(2.0 * math.pi)
    return float(-0.5 * (y - mu_y).square().sum(0).mean()) - constant


def search(value: Tensor, token_lengths: Tensor, frame_lengths: Tensor) -> Tensor:
    """The durations of the most likely monotonic alignment that gives every token at least one frame.

    Args:
        value: log-likelihoods (batch, frames, tokens); padding is not read.
        token_lengths: (batch,) integers ≥ 1.
        frame_lengths: (batch,) integers ≥ ``token_lengths``.

    Returns:
        (batch, tokens) int64 on the device of ``value``; zero on padding.

    Raises:
        BadInputError: an utterance has fewer frames than tokens.
    """
    short = (frame_lengths < token_lengths).nonzero().flatten().tolist()
    if short or bool((token_lengths < 1).any()):
        raise BadInputError(
            f"utterance {short[0] if short else 0} of the batch has fewer frames than tokens",
            "Check that its transcript belongs to its recording.",
        )
    # Only here, because numba takes a third of a second to load, and speaking needs no search.
    from voxgrad.model.monotonic_alignment_numba import search_batch  # noqa: PLC0415

    durations = np.zeros((value.shape[0], value.shape[2]), np.int64)
    values = np.ascontiguousarray(value.detach().float().cpu().numpy())
    tokens, frames = (lengths.cpu().numpy().astype(np.int64) for lengths in (token_lengths, frame_lengths))
    workers = min(torch.get_num_threads(), len(values)) if value.numel() >= _WORTH_A_THREAD else 1
    share = -(-len(values) // workers)

    def search_part(start: int) -> None:
        part = slice(start, start + share)
        search_batch(values[part], tokens[part], frames[part], durations[part])

    if workers == 1:
        search_part(0)
    else:
        # Plain threads, since numba's own go on spinning for a while and take the processor from torch's.
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(search_part, range(0, len(values), share)))
    return torch.from_numpy(durations).to(value.device)


def path(durations: Tensor, frames: int) -> Tensor:
    """Durations as a path of ones: (batch, tokens) → (batch, tokens, frames) float32.

    >>> path(torch.tensor([[2, 1]]), 3).tolist()
    [[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]
    """
    stop = durations.cumsum(1)[:, :, None]
    frame = torch.arange(frames, device=durations.device)
    return ((frame < stop) & (frame >= stop - durations[:, :, None])).float()


def expand(values: Tensor, durations: Tensor, frames: int) -> Tensor:
    """Repeats every token's column for its frames.

    Args:
        values: (batch, channels, tokens).
        durations: (batch, tokens) integers.
        frames: padded length of the result.

    Returns:
        (batch, channels, frames), zero past each utterance's last frame.

    >>> expand(torch.tensor([[[5.0, 7.0]]]), torch.tensor([[2, 1]]), 4).tolist()
    [[[5.0, 5.0, 7.0, 0.0]]]
    """
    stop = durations.cumsum(1)
    frame = torch.arange(frames, device=durations.device).expand(durations.shape[0], -1).contiguous()
    token = torch.searchsorted(stop, frame, right=True)
    inside = token < values.shape[2]
    index = token.clamp(max=values.shape[2] - 1)[:, None].expand(-1, values.shape[1], -1)
    return values.gather(2, index) * inside[:, None]
