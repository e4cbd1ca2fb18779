"""A voice that speaks: text → passages → audio, as `voxgrad.load` and all commands use it."""
