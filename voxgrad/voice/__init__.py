"""Speaking with a voice: text → passages → audio, for `voxgrad.load` and all commands."""
