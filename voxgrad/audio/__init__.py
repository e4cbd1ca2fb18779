"""From files to clean mono waveforms, and from waveforms to log-mel spectrograms."""
