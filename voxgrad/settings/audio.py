"""Settings of `prepare`: how a recording becomes a clip, and what a clip must be like."""

from typing import Self

from pydantic import Field, model_validator

from voxgrad.settings.model import MelSpec, Spec


class AudioSpec(Spec):
    """How a recording becomes a clip."""

    mel: MelSpec = MelSpec()
    trim: bool = True
    """Cut silence off both ends."""
    trim_threshold_db: float = Field(default=-40.0, lt=0)
    """dB below the clip's loudest intensity that count as silence."""
    trim_margin: float = Field(default=0.05, ge=0)
    """Seconds kept before the first and after the last sound."""
    high_pass_hz: float = Field(default=60.0, gt=0)
    """Rumble is what lies below."""
    rumble_db: float = -20.0
    """dB of the whole that rumble may have before it is filtered off."""
    loudness_lufs: float = Field(default=-23.0, lt=0)
    """ITU-R BS.1770 loudness that a clip is brought to."""
    true_peak_dbtp: float = Field(default=-1.0, le=0)
    """The gain is lowered where a peak, between samples too, would pass this."""
    min_seconds: float = Field(default=0.3, gt=0)
    """A shorter clip is rejected."""
    max_seconds: float = Field(default=15.0, gt=0)
    """A longer recording is cut at silences."""
    max_minutes: float = Field(default=100.0, gt=0)
    """A longer recording is rejected unread."""
    pause_seconds: float = Field(default=0.6, gt=0.1)
    """A long recording is cut at every pause of this length, and at shorter ones where pieces stay too long."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_seconds >= self.max_seconds:
            raise ValueError("min_seconds must lie below max_seconds")
        return self


class CheckSpec(Spec):
    """What a clip's measures must be. Beyond the first bound it is kept with a warning, beyond the second rejected."""

    warn_snr_db: float = 20.0
    reject_snr_db: float = 3.0
    """Signal to noise."""
    warn_clipped: float = Field(default=1e-3, ge=0, le=1)
    reject_clipped: float = Field(default=0.05, ge=0, le=1)
    """Share of the recording's samples that stand at its limit."""
    warn_bandwidth_hz: float = 7000.0
    reject_bandwidth_hz: float = 2500.0
    """Highest frequency that the recording holds."""
    warn_harmonicity_db: float = 3.0
    """Median of the voiced frames: hoarse or noisy below."""
    warn_phones_per_second: tuple[float, float] = (5.0, 22.0)
    reject_phones_per_second: tuple[float, float] = (1.5, 30.0)
    """Lowest and highest speech rate."""
    warn_gain_db: float = 30.0
    """Amplification that raises the noise too."""
    warn_offset: float = Field(default=0.02, ge=0)
    """Mean of the samples, which should be 0."""
    warn_log_probability: float = Field(default=-0.4, le=0)
    """Mean log-probability of a recogniser's tokens, below which it is unsure of its text."""
    doubt_bounds: tuple[tuple[float, float], ...] = ((8.0, 99.0), (3.5, 0.5), (1.5, 0.3))
    """A text is doubted where its alignment's likelihood lies more than the first number of robust standard
    deviations below its peers', and its margin over the same words backwards below the second number times theirs."""
    doubt_word: float = Field(default=5.3, gt=0)
    """A word is doubted where another, or none, or one more explains the recording better than is usual among its
    peers: by this many robust standard deviations."""


class PrepareSpec(Spec):
    """A preset file of ``prepare``: how recordings become clips, and what is expected of them."""

    description: str
    audio: AudioSpec = AudioSpec()
    checks: CheckSpec = CheckSpec()
