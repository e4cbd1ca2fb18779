"""From log-mel spectrograms back to waveforms."""
