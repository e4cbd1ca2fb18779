"""A voice as one graph: token ids → audio, for one utterance."""

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgrad.acoustic_model import AcousticModel
from voxgrad.device import copy_with
from voxgrad.model.diffusion import FRAME_MULTIPLE
from voxgrad.model.gradtts import frame_prosody, predicted_durations, sharpen
from voxgrad.settings import SynthesisSpec
from voxgrad.text.symbols import BLANK, CHARACTER_IDS, PUNCTUATION, SPACE

_NOISE_FRAMES = 1024
"""Of noise inside a graph, after which it repeats: twelve seconds."""
_Module = TypeVar("_Module", bound=nn.Module)
_SHERPA_NOISE = 0.667
"""What sherpa-onnx gives as noise_scale unless it is told another."""


class SpeechGraph(nn.Module):
    """Acoustic model, unrolled sampler and vocoder.

    Args:
        acoustic: the voice.
        vocoder: what speaks its mel, (1, n_feats, frames) → samples.
        settings: sampler and steps; what the inputs say does not count.
    """

    def __init__(self, acoustic: AcousticModel, vocoder: nn.Module, settings: SynthesisSpec) -> None:
        super().__init__()
        self.model, self.spec, self.settings = with_products(acoustic.model), acoustic.spec, settings
        self.vocoder = vocoder

    def forward(
        self,
        tokens: Tensor,
        lengths: Tensor,
        speed: Tensor,
        pitch: Tensor,
        temperature: Tensor,
        noise: Tensor,
        rise: Tensor,
        speaker: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Speaks.

        Args:
            tokens: (1, tokens) int64.
            lengths: (1,) int64, how many of them count.
            speed: (1,) float32 or (tokens,), above 1 is faster.
            pitch: (1,) float32 or (tokens,), semitones up.
            temperature: (1,) float32, standard deviation of the noise.
            noise: (n,) float32, standard normal; repeated where n_feats times the frames are more.
            rise: (1,) float32 or (tokens,), how far a question rises, 0 to 1.
            speaker: (1,) int64, row of the speaker's embedding, in models of several.

        Returns:
            Samples (1, frames * hop_length), durations (1, tokens) int64, log-mel (1, n_feats, frames).
        """
        tokens = tokens[:, : lengths[0]]
        prior = self.model.encode(tokens, lengths, speaker)
        scale = (self.spec.duration_scale / speed.double()).float()
        durations = predicted_durations(prior, scale, "rounded")
        more = -durations.sum(1, keepdim=True) % FRAME_MULTIPLE
        durations = torch.cat((durations[:, :-1], durations[:, -1:] + more), 1)
        frames: Any = durations.sum()  # stays a tensor: a number would become a constant of the graph
        flat = torch.zeros_like(durations[0], dtype=torch.float32)
        prosody = frame_prosody(flat + pitch, flat + rise, durations, frames)
        condition = self.model.condition(prior, durations, frames, None, None, speaker, prosody=prosody)
        count = frames * self.spec.model.n_feats
        drawn = noise[torch.arange(count) % noise.shape[0]].reshape(1, self.spec.model.n_feats, -1)
        start = temperature * drawn + condition.mu
        mel = self.model.decoder.sample(start, condition, self.settings, lambda: drawn)
        mel = sharpen(mel, self.spec.model.postfilter).clamp(*self.spec.mel.range)
        return self.vocoder(mel).reshape(1, -1), durations, mel


class _Product(nn.Module):
    """A convolution over tokens as one product of matrices, which can be one of integers."""

    def __init__(self, convolution: nn.Conv1d) -> None:
        super().__init__()
        (self.kernel,) = convolution.kernel_size
        self.weight = convolution.weight.detach().transpose(1, 2).flatten(1)
        self.bias = convolution.bias

    def forward(self, x: Tensor) -> Tensor:
        rows = F.pad(x.transpose(1, 2), (0, 0, self.kernel // 2, self.kernel // 2))
        last = self.kernel - 1
        if last:
            rows = torch.cat([rows[:, at : at - last or None] for at in range(self.kernel)], 2)
        return F.linear(rows, self.weight, self.bias).transpose(1, 2)


def with_products(model: _Module) -> _Module:
    """A copy of a model whose convolutions over all channels are products of matrices; weights are shared."""
    products = {
        id(layer): _Product(layer)
        for layer in model.modules()
        if isinstance(layer, nn.Conv1d)
        and layer.groups == 1
        and layer.padding == (layer.kernel_size[0] // 2,)
    }
    return copy_with(model, products)


class SherpaGraph(nn.Module):
    """The same with the inputs of a VITS model, as sherpa-onnx gives them; one speaker, noise inside.

    Args:
        graph: what speaks.
        row: of the speaker.
    """

    noise: Tensor

    def __init__(self, graph: SpeechGraph, row: int) -> None:
        super().__init__()
        self.graph, self.row = graph, row
        frames = _NOISE_FRAMES * graph.spec.model.n_feats
        self.register_buffer("noise", torch.randn(frames, generator=torch.Generator().manual_seed(0)))
        self.register_buffer(
            "marks", torch.tensor([1 + CHARACTER_IDS[mark] for mark in PUNCTUATION if mark != " "])
        )

    marks: Tensor

    def forward(
        self, x: Tensor, x_length: Tensor, noise_scale: Tensor, length_scale: Tensor, noise_scale_w: Tensor
    ) -> Tensor:
        """Speaks.

        Args:
            x: (1, tokens) int64, ids plus 1, without blanks. sherpa-onnx puts a space after every word, before a
                mark too, and none after a mark; older versions drop a mark at the end. All of it is put right here.
            x_length: (1,) int64.
            noise_scale: (1,) float32; 0.667, its default, is the voice's own temperature.
            length_scale: (1,) float32, above 1 is slower.
            noise_scale_w: (1,) float32, without meaning here.

        Returns:
            Samples (1, samples).
        """
        x = x[:, : x_length[0]]
        space = 1 + SPACE
        # A space before a mark goes behind it.
        mark = self._marked(x)
        swapped = F.pad(mark, (0, 1))[:, 1:] * (x == space).long()  # a space that a mark follows
        moved = F.pad(swapped, (1, 0))[:, :-1]  # the mark that follows it
        following, before = F.pad(x, (0, 1))[:, 1:], F.pad(x, (1, 0))[:, :-1]
        x = x * (1 - swapped) * (1 - moved) + following * swapped + before * moved
        # Spaces at the end go, and a full stop comes where no mark is left.
        spoken = (x != space).long() * torch.arange(1, x.shape[1] + 1)
        count = spoken.max()
        bare = 1 - self._marked(x.gather(1, (count - 1).reshape(1, 1)))[0, 0]
        stop = torch.full_like(x[:, :1], 1 + CHARACTER_IDS["."])
        x = torch.cat((x[:, :count], stop), 1)[:, : count + bare]
        tokens = x - 1
        if self.graph.spec.text.add_blank:
            blanks = torch.full_like(tokens, BLANK)
            tokens = torch.cat((torch.stack((blanks, tokens), 2).reshape(1, -1), blanks[:, :1]), 1)
        own = self.graph.spec.model.temperature / _SHERPA_NOISE
        speaker = torch.full_like(x_length, self.row) if self.graph.spec.model.n_spks > 1 else None
        audio, _, _ = self.graph(
            tokens,
            torch.ones_like(x_length) * tokens.shape[1],
            1.0 / length_scale,
            torch.zeros_like(length_scale),
            noise_scale * own + 0.0 * noise_scale_w,
            self.noise,
            torch.zeros_like(length_scale),
            speaker,
        )
        return audio

    def _marked(self, x: Tensor) -> Tensor:
        """1 where a token is a mark: (1, n) int64 both ways."""
        return (x[:, :, None] == self.marks).any(2).long()
