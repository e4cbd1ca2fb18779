"""Grad-TTS (Popov et al., ICML 2021): the network and its mathematics."""
