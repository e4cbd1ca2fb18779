"""How near a voice comes to recordings: distances of audio, and metrics by other models."""
