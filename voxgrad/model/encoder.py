"""Token ids → one mean mel frame and one log-duration for every token (Grad-TTS, section 3.2; from Glow-TTS).

Parameter names are the official state dict's.
"""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxgrad.settings import ModelSpec


class LayerNorm(nn.Module):
    """Layer normalisation over channels; (batch, channels, time) in and out."""

    def __init__(self, channels: int, eps: float = 1e-4) -> None:
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalises every position on its own."""
        return F.layer_norm(x.transpose(1, 2), self.gamma.shape, self.gamma, self.beta, self.eps).transpose(1, 2)


class Prenet(nn.Module):
    """Three convolutions over the embedded tokens, added to them."""

    def __init__(self, channels: int, kernel: int = 5, layers: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=kernel // 2) for _ in range(layers)
        )
        self.norm_layers = nn.ModuleList(LayerNorm(channels) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.proj = nn.Conv1d(channels, channels, 1)
        nn.init.zeros_(self.proj.weight)
        nn.init.zeros_(cast("Tensor", self.proj.bias))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(batch, channels, tokens), (batch, 1, tokens) → (batch, channels, tokens)."""
        residual = x
        for conv, norm in zip(self.conv_layers, self.norm_layers, strict=True):
            x = self.dropout(F.relu(norm(conv(x * mask))))
        return (residual + self.proj(x)) * mask


class RelativeAttention(nn.Module):
    """Self-attention with learnt keys and values for the nearest relative positions (Shaw et al., 2018)."""

    def __init__(self, channels: int, heads: int, window: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        width = channels // heads
        self.conv_q = nn.Conv1d(channels, channels, 1)
        self.conv_k = nn.Conv1d(channels, channels, 1)
        self.conv_v = nn.Conv1d(channels, channels, 1)
        self.conv_o = nn.Conv1d(channels, channels, 1)
        self.emb_rel_k = nn.Parameter(torch.empty(1, 2 * window + 1, width))
        self.emb_rel_v = nn.Parameter(torch.empty(1, 2 * window + 1, width))
        self.dropout = nn.Dropout(dropout)
        for conv in (self.conv_q, self.conv_k, self.conv_v):
            nn.init.xavier_uniform_(conv.weight)
        for embedding in (self.emb_rel_k, self.emb_rel_v):
            nn.init.normal_(embedding, std=width**-0.5)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(batch, channels, tokens) attends to itself where the outer product of ``mask`` is 1."""
        batch, channels, tokens = x.shape
        query, key, value = (
            conv(x).view(batch, self.heads, -1, tokens).transpose(2, 3)
            for conv in (self.conv_q, self.conv_k, self.conv_v)
        )
        query = query / math.sqrt(query.shape[-1])
        relative = query @ self.emb_rel_k.transpose(1, 2)  # (batch, heads, from, 2 window + 1)
        scores = query @ key.transpose(2, 3) + _square(relative, self.window)
        pair = (mask.unsqueeze(2) * mask.unsqueeze(3)) > 0
        weights = self.dropout(scores.masked_fill(~pair, -1e4).softmax(-1))
        out = weights @ value + _band(weights, self.window).to(value.dtype) @ self.emb_rel_v
        return self.conv_o(out.transpose(2, 3).reshape(batch, channels, tokens))


def _square(band: Tensor, window: int) -> Tensor:
    """Puts values for the offsets −window…window on the diagonals: (…, n, 2 window + 1) → (…, n, n).

    Rows that are one longer than they should be, laid end to end and cut anew, move by one each. A gather would do
    too, but its gradient is a scatter, which is slow on GPUs.
    """
    n = band.shape[-2]
    moved = F.pad(band, (0, n)).flatten(-2)[..., : n * (n + 2 * window)]
    return moved.view(*band.shape[:-2], n, n + 2 * window)[..., window : window + n]


def _band(square: Tensor, window: int) -> Tensor:
    """The other way: (…, n, n) → (…, n, 2 window + 1), zero beyond both ends."""
    n = square.shape[-1]
    moved = F.pad(F.pad(square, (window, window)).flatten(-2), (0, n))
    return moved.view(*square.shape[:-2], n, n + 2 * window + 1)[..., : 2 * window + 1]


class FeedForward(nn.Module):
    """Two convolutions with a ReLU between."""

    def __init__(self, channels: int, filter_channels: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(channels, filter_channels, kernel, padding=kernel // 2)
        self.conv_2 = nn.Conv1d(filter_channels, channels, kernel, padding=kernel // 2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(batch, channels, tokens) in and out."""
        x = self.dropout(F.relu(self.conv_1(x * mask)))
        return self.conv_2(x * mask) * mask


class Transformer(nn.Module):
    """Post-norm transformer blocks."""

    def __init__(self, channels: int, spec: ModelSpec) -> None:
        super().__init__()
        layers, dropout = range(spec.n_enc_layers), spec.enc_dropout
        self.dropout = nn.Dropout(dropout)
        self.attn_layers = nn.ModuleList(
            RelativeAttention(channels, spec.n_heads, spec.window_size, dropout) for _ in layers
        )
        self.norm_layers_1 = nn.ModuleList(LayerNorm(channels) for _ in layers)
        self.ffn_layers = nn.ModuleList(
            FeedForward(channels, spec.filter_channels, spec.enc_kernel, dropout) for _ in layers
        )
        self.norm_layers_2 = nn.ModuleList(LayerNorm(channels) for _ in layers)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(batch, channels, tokens) in and out."""
        blocks = zip(self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True)
        for attention, norm_1, feed_forward, norm_2 in blocks:
            x = x * mask
            x = norm_1(x + self.dropout(attention(x, mask)))
            x = norm_2(x + self.dropout(feed_forward(x, mask)))
        return x * mask


class DurationPredictor(nn.Module):
    """Two convolutions that predict the logarithm of every token's frames."""

    def __init__(self, channels: int, filter_channels: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(channels, filter_channels, kernel, padding=kernel // 2)
        self.norm_1 = LayerNorm(filter_channels)
        self.conv_2 = nn.Conv1d(filter_channels, filter_channels, kernel, padding=kernel // 2)
        self.norm_2 = LayerNorm(filter_channels)
        self.proj = nn.Conv1d(filter_channels, 1, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Encodes a padded batch of token ids (batch, tokens); mask (batch, 1, tokens), speaker (batch, spk_emb_dim).

        Returns:
            ``mu_x`` (batch, n_feats, tokens), ``logw`` (batch, 1, tokens) and what both are made from, ``hidden``
            (batch, inner, tokens); all zero on padding.
        """
        x = self.dropout(self.norm_1(F.relu(self.conv_1(x * mask))))
        x = self.dropout(self.norm_2(F.relu(self.conv_2(x * mask))))
        return self.proj(x * mask) * mask


class TextEncoder(nn.Module):
    """Embedding, prenet, transformer; then the mean of every token and, detached, its duration."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        channels = spec.n_enc_channels
        self.scale = math.sqrt(channels)
        self.emb = nn.Embedding(spec.n_vocab, channels)
        nn.init.normal_(self.emb.weight, 0.0, channels**-0.5)
        self.prenet = Prenet(channels)
        self.conditioned = spec.condition_encoder and spec.n_spks > 1
        self.inner = inner = channels + spec.spk_emb_dim * self.conditioned
        self.encoder = Transformer(inner, spec)
        self.proj_m = nn.Conv1d(inner, spec.n_feats, 1)
        self.proj_w = DurationPredictor(inner, spec.filter_channels_dp, spec.enc_kernel, spec.enc_dropout)

    def forward(self, tokens: Tensor, mask: Tensor, speaker: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Encodes a padded batch.

        Args:
            tokens: (batch, tokens) ids.
            mask: (batch, 1, tokens).
            speaker: (batch, spk_emb_dim), used only where the spec conditions the encoder.

        Returns:
            ``mu_x`` (batch, n_feats, tokens), ``logw`` (batch, 1, tokens) and what both are made from, ``hidden``
            (batch, inner, tokens); all zero on padding.
        """
        x = self.prenet((self.emb(tokens) * self.scale).transpose(1, 2) * mask, mask)
        if self.conditioned and speaker is not None:
            x = torch.cat([x, speaker[:, :, None].expand(-1, -1, x.shape[2])], 1)
        x = self.encoder(x, mask)
        return self.proj_m(x) * mask, self.proj_w(x.detach(), mask), x
