"""Whether fine-tuning helped, in one sentence."""

from voxgrad.evaluation.trial import Figures

_JUDGE = "mel_cepstral_distortion"
_NOTICEABLE = 0.1
"""dB; less is within what other noise would give."""
_BESIDE = (
    ("f0_shift", "pitch off by", "semitones", 1, 1),
    ("voicing_error", "voicing error", "%", 100, 0),
    ("phone_error", "phone durations off by", "ms", 1000, 0),
)


def verdict(base: Figures, voice: Figures) -> str:
    """Say whether a voice is nearer to its recordings than its base was, by its mel-cepstral distortion.

    >>> verdict({"mel_cepstral_distortion": 8.0, "f0_shift": -3.0}, {"mel_cepstral_distortion": 6.0, "f0_shift": 0.2})
    'Fine-tuning helped: mel-cepstral distortion 8.00 → 6.00 dB, pitch off by 3.0 → 0.2 semitones.'
    >>> verdict({"mel_cepstral_distortion": 6.0}, {"mel_cepstral_distortion": 6.1})
    'Fine-tuning did not help: mel-cepstral distortion 6.00 → 6.10 dB.'
    """
    before, after = base[_JUDGE], voice[_JUDGE]
    if before is None or after is None:
        raise ValueError("a summary without its judge")
    helped = before - after >= _NOTICEABLE
    figures = [f"mel-cepstral distortion {before:.2f} → {after:.2f} dB"]
    for key, title, unit, factor, digits in _BESIDE:
        was, now = base.get(key), voice.get(key)
        if was is not None and now is not None:
            figures.append(f"{title} {abs(was) * factor:.{digits}f} → {abs(now) * factor:.{digits}f} {unit}")
    return f"Fine-tuning {'helped' if helped else 'did not help'}: {', '.join(figures)}."
