"""A voice that is loaded and speaks: text → passages → audio, as `voxgrad.load` and all commands use it."""
