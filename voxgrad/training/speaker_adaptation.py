"""Adapts a base to a new speaker: before training the row of the embedding and the means of the mel bands, after it the
gains of the postfilter.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import cast

import torch
from torch import Tensor, nn

from voxgrad.acoustic_model import AcousticModel
from voxgrad.device import autocast
from voxgrad.events import Advance, uncounted
from voxgrad.model.diffusion import length_mask
from voxgrad.model.frame_prior import expand, frame_positions, gather_tokens, recorded_pitch
from voxgrad.model.gradtts import GradTTS
from voxgrad.model.postfilter import detail
from voxgrad.settings import SynthesisSpec
from voxgrad.training.alignment import align_corpus, align_unknown_speakers, expanded
from voxgrad.training.dataset import (
    Alignment,
    Batch,
    Clip,
    Corpus,
    batch_of_step,
    collate,
    collate_crops,
    generator_for,
)
from voxgrad.training.losses import encoder_loss, frame_condition, validate

_ROWS_TOGETHER = 64
_FEWEST_ROWS = 16
_SPREAD_ROWS, _BEST_ROWS, _NEAR_ROWS = 96, 4, 32
"""Of a large embedding: rows far from each other that are tried, the best of them, and rows near these."""
_EMBEDDING_STEPS, _EMBEDDING_BATCH, _EMBEDDING_RATE = 60, 4, 0.02
_LEARNING = 6
"""Passes that take as long as it takes to learn from a frame, on a processor."""
_LEAST_DEVIATION = 0.05  # of ln F0: a semitone
_DETAIL_SECONDS = 90.0
"""Of a speaker's clips, from which the gains of the postfilter are measured."""
_DETAIL_GAINS = (0.8, 3.0)
_QUIET = 0.3
"""Share of the frames of a clip that are pauses, or nearly so."""
_STRETCH = (0.5, 2.0)
"""Recordings of speech differ by less; a base that has learnt nothing might not."""


def adaptation_cost(model: GradTTS, corpus: Corpus, training: Corpus, *, fit: bool, match: bool) -> float:
    """Frames that `nearest_row`, `fit_embedding` and `match_bands` pass over; see `_LEARNING` for those learnt from."""
    whole = _frames(training.clips)
    batches = (batch_of_step(training.clips, _EMBEDDING_BATCH, step, 0) for step in range(_EMBEDDING_STEPS))
    fitting = 2 * whole + _LEARNING * sum(map(_frames, batches))
    return _search_cost(model, _short_clips(corpus)) + fit * fitting + match * 3 * whole


def _search_cost(model: GradTTS, clips: Sequence[Clip]) -> int:
    """Frames that `nearest_row` passes over."""
    rows = model.spec.n_spks if model.spec.n_spks > 1 else 0
    if not model.spec.condition_encoder:
        return rows * _frames(clips)
    tried = min(rows, _SPREAD_ROWS + _NEAR_ROWS)
    counts = accumulate(clips[1:], lambda left, _: _kept(left), initial=tried)
    return sum(count * clip.frames for count, clip in zip(counts, clips, strict=True))


def _kept(rows: int) -> int:
    """How many of the rows that explain a clip best are tried on the next one."""
    return min(rows, max(_FEWEST_ROWS, rows // 4))


def _frames(clips: Sequence[Clip]) -> int:
    return sum(clip.frames for clip in clips)


def _short_clips(corpus: Corpus) -> list[Clip]:
    return sorted(corpus.clips, key=lambda clip: (clip.frames, clip.id))[:4]


def nearest_row(
    model: GradTTS,
    corpus: Corpus,
    speaker: str,
    device: torch.device,
    advance: Advance = uncounted,
    rows: int | None = None,
) -> int:
    """The speaker row that explains a few clips of a new speaker best; 0 in a one-speaker base.

    It is one of the first ``rows``; None: of all.

    Where the text encoder is told the speaker, its means tell. The shortest clip is tried on rows all over the
    embedding, and then on rows near the best of them; each further clip on a quarter of the rows, those that explain
    the clips before it best. Else the decoder tells. ``advance`` is told of frames that are done.
    """
    if model.spec.n_spks == 1:
        return 0
    some = corpus.with_clips(_short_clips(corpus))
    count = model.spec.n_spks if rows is None else rows
    if model.spec.condition_encoder:
        return _row_by_means(model, some, count, device, advance)
    loss = []
    for row in range(count):
        loss.append(validate(model, some, {speaker: row}, device, decoder=True)["diffusion"])
        advance(_frames(some.clips))
    return min(range(len(loss)), key=loss.__getitem__)


def _row_by_means(model: GradTTS, corpus: Corpus, count: int, device: torch.device, advance: Advance) -> int:
    first, *others = corpus.clips
    embedding = model.spk_emb.weight.detach().cpu()[:count]
    rows = _spread_rows(embedding, _SPREAD_ROWS)
    distances = _row_distances(model, corpus, first, rows, device, advance)
    near = _rows_near(embedding, rows, rows[distances.argsort()[:_BEST_ROWS]])
    if len(near):
        rows = torch.cat([rows, near])
        distances = torch.cat([distances, _row_distances(model, corpus, first, near, device, advance)])
    for clip in others:
        best = distances.argsort(stable=True)[: _kept(len(rows))]
        rows = rows[best]
        distances = distances[best] + _row_distances(model, corpus, clip, rows, device, advance)
    return int(rows[distances.argmin()])


def _spread_rows(embedding: Tensor, count: int) -> Tensor:
    """Rows far from each other, from the middle outwards (Gonzalez, 1985): (count,), or all where there are fewer."""
    row = int((embedding - embedding.mean(0)).square().sum(1).argmin())
    away = torch.full((len(embedding),), torch.inf)
    chosen = []
    for _ in range(min(count, len(embedding))):
        chosen.append(row)
        away = torch.minimum(away, (embedding - embedding[row]).square().sum(1))
        row = int(away.argmax())
    return torch.tensor(chosen)


def _rows_near(embedding: Tensor, tried: Tensor, best: Tensor) -> Tensor:
    """Rows not tried yet that are nearest to one of the best: (`_NEAR_ROWS`,), or fewer where none are left."""
    away = torch.cdist(embedding, embedding[best]).amin(1)
    away[tried] = torch.inf
    return away.argsort()[: min(_NEAR_ROWS, len(embedding) - len(tried))]


@torch.no_grad()
def _row_distances(
    model: GradTTS, corpus: Corpus, clip: Clip, rows: Tensor, device: torch.device, advance: Advance
) -> Tensor:
    """Squared distance of one clip to the means of speaker rows, each under its own alignment: (rows,)."""
    model.eval()
    batch = collate(corpus, [clip], {clip.speaker: 0}).to(device)
    found = []
    for some in torch.split(rows.to(device), _ROWS_TOGETHER):
        tokens, lengths, y, frames = (
            part.expand(len(some), *part.shape[1:])
            for part in (batch.tokens, batch.token_lengths, batch.y, batch.frame_lengths)
        )
        prior = model.encode(tokens, lengths, some)
        durations = model.align(prior, y, frames)
        mu_y = expand(prior.mu_x, durations, y.shape[2])
        found.append((y - mu_y)[:, :, : clip.frames].square().mean((1, 2)).cpu())
        advance(len(some) * clip.frames)
    return torch.cat(found)


def fit_embedding(acoustic: AcousticModel, corpus: Corpus, device: torch.device, advance: Advance = uncounted) -> None:
    """Moves the new speaker's embedding alone, in the row that was chosen, to where it explains the recordings best.

    The weights stay, so that a minute of speech cannot unteach anything. What is minimised is the squared distance
    of the mel to the tokens' means and, where there is one, to the frame-level mean: the likelihood under N(mu, I).
    """
    model, rows = acoustic.model, {clip.speaker: acoustic.row for clip in corpus.clips}
    known = align_unknown_speakers(model, corpus, rows, device, advance)
    model.requires_grad_(requires_grad=False)
    row = model.spk_emb.weight[acoustic.row].detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([row], lr=_EMBEDDING_RATE)
    others = model.spk_emb.weight.detach().clone()
    for step in range(_EMBEDDING_STEPS):
        clips = batch_of_step(corpus.clips, _EMBEDDING_BATCH, step, 0)
        batch = collate(corpus, clips, rows).to(device)
        optimizer.zero_grad(set_to_none=True)
        with autocast(device, "auto"):
            loss = _embedding_loss(model, row, batch, clips, known)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        advance(_LEARNING * _frames(clips))
    with torch.no_grad():
        others[acoustic.row] = row
        model.spk_emb.weight.copy_(others)


def _embedding_loss(
    model: GradTTS, row: Tensor, batch: Batch, clips: Sequence[Clip], known: Mapping[str, Alignment]
) -> Tensor:
    speaker = row.expand(len(clips), -1)
    mask = length_mask(batch.token_lengths, batch.tokens.shape[1])
    mu_x, _, hidden = model.encoder(batch.tokens, mask, speaker)
    durations = nn.utils.rnn.pad_sequence([known[clip.id].durations for clip in clips], batch_first=True)
    frames = batch.y.shape[2]
    token, position = frame_positions(durations.to(batch.y.device), frames)
    real = length_mask(batch.frame_lengths, frames)
    mu_y = gather_tokens(mu_x.float(), token).transpose(1, 2) * real
    loss = encoder_loss("l2", mu_y, batch.y, real)
    prior = model.frame_prior
    if prior is None or batch.log_f0 is None:
        return loss
    inputs = prior.inputs(gather_tokens(hidden, token), mu_y, position, speaker)
    mean = prior.mean(inputs, mu_y, recorded_pitch(batch.log_f0), batch.speakers, real.transpose(1, 2))
    return loss + encoder_loss("l2", mean.mu, batch.y, real)


@torch.no_grad()
def match_pitch(acoustic: AcousticModel, corpus: Corpus) -> None:
    """Sets mean and deviation of ln F0 of every speaker of a corpus to those of their voiced frames."""
    if acoustic.model.frame_prior is None or corpus.pitch is None:
        return
    tracks: dict[str, list[Tensor]] = {}
    for clip in corpus.clips:
        tracks.setdefault(clip.speaker, []).append(corpus.pitch[clip.id])
    for speaker, theirs in tracks.items():
        joined = torch.cat(theirs)
        voiced = joined[joined > 0]
        if len(voiced) > 1:
            statistics = torch.stack([voiced.mean(), voiced.std().clamp(min=_LEAST_DEVIATION)])
            acoustic.model.frame_prior.pitch_statistics[acoustic.spec.speakers[speaker]] = statistics


@torch.no_grad()
def match_bands(acoustic: AcousticModel, corpus: Corpus, device: torch.device, advance: Advance = uncounted) -> None:
    """Moves and stretches the model's means, band by band, to where the mels of new recordings lie.

    Twice, because better means align better, all frames are aligned and every band's shift and stretch read off them.
    Two numbers a band tell speaker, room and microphone, and are too few to forget how sounds differ; the last layer
    of the text encoder is linear and takes them in. It is the diagonal form of Leggetter and Woodland's maximum
    likelihood linear regression of means (Computer Speech and Language 9, 1995), except for the stretch: see
    :func:`_fitted`.
    """
    means = acoustic.model.encoder.proj_m
    bias = cast("Tensor", means.bias)
    rows = {clip.speaker: acoustic.row for clip in corpus.clips}
    for searched in (align_unknown_speakers, align_corpus):
        found = searched(acoustic.model, corpus, rows, device, advance=advance)
        mu = torch.cat([expanded(found[clip.id]) for clip in corpus.clips], 1)
        y = torch.cat([corpus.mel(clip) for clip in corpus.clips], 1)
        stretch, shift = _fitted(mu, y)
        means.weight.mul_(stretch[:, None, None].to(device))
        bias.mul_(stretch.to(device)).add_(shift.to(device))


def _fitted(mu: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """What makes y ≈ stretch · mu + shift in every band: (n_feats, frames) twice → (n_feats,) twice.

    The slope of least squares shrinks with every frame that is aligned wrongly, and flat means make mumbled speech. The
    ratio of the spreads does not, but means have less spread than mels by right. The stretch is the geometric mean
    of both.
    """
    mu_mean, y_mean = mu.mean(1), y.mean(1)
    mu_centred, y_centred = mu - mu_mean[:, None], y - y_mean[:, None]
    variance = mu_centred.square().sum(1).clamp(min=1e-6)
    slope = (mu_centred * y_centred).sum(1).clamp(min=0) / variance
    ratio = (y_centred.square().sum(1) / variance).sqrt()
    stretch = (slope * ratio).sqrt().clamp(*_STRETCH)
    return stretch, y_mean - stretch * mu_mean


@torch.no_grad()
def match_detail(
    model: GradTTS,
    corpus: Corpus,
    alignments: Mapping[str, Alignment],
    rows: Mapping[str, int],
    device: torch.device,
) -> None:
    """Sets the postfilter's gains of every speaker of a corpus; see `voxgrad.postfilter`.

    The clips are spoken under their own durations and pitch, and the detail of every band is compared with that of
    the recordings. What a network generates is smoother the less it heard of a person.
    """
    if model.frame_prior is None or corpus.pitch is None:
        return
    model.eval()
    settings = SynthesisSpec().resolve_defaults(model.spec)
    detailed: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for clip in _detail_clips(corpus):
        crops = collate_crops(corpus, [clip], alignments, None, rows, generator_for(0)).to(device)
        with autocast(device, settings.precision):
            condition = frame_condition(model, crops)
            noise = torch.randn(crops.y.shape, generator=generator_for(1)).to(device)
            start = condition.mu + model.spec.temperature * noise
            made = model.decoder.sample(start, condition, settings, partial(torch.clone, noise))
        recorded, made = crops.y[..., : clip.frames], made[..., : clip.frames].float()
        level = recorded[0].mean(0)
        loud = level > level.quantile(_QUIET)
        pair = detail(recorded)[0, :, loud], detail(made)[0, :, loud]
        detailed.setdefault(clip.speaker, []).append(pair)
    for name, pairs in detailed.items():
        ours, theirs = (torch.cat(mels, 1).std(1) for mels in zip(*pairs, strict=True))
        gains = (ours / theirs.clamp(min=1e-3)).clamp(*_DETAIL_GAINS)
        model.frame_prior.detail_gains[rows[name]] = gains


def _detail_clips(corpus: Corpus) -> list[Clip]:
    """The first clips of every speaker that make up `_DETAIL_SECONDS`."""
    seconds: dict[str, float] = {}
    chosen = []
    for clip in dict.fromkeys(corpus.clips):  # small datasets of languages occur several times
        if seconds.get(clip.speaker, 0.0) < _DETAIL_SECONDS:
            seconds[clip.speaker] = seconds.get(clip.speaker, 0.0) + clip.seconds
            chosen.append(clip)
    return chosen
