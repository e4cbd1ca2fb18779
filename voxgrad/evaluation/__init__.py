"""Evaluation of a voice against recordings: distances of audio, and metrics by other models."""
