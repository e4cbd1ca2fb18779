"""A voice that is loaded and speaks: text → passages → sound, as `voxgrad.load` and all commands use it."""
