"""Clone a voice from a folder of recordings with Grad-TTS, on the machine that you have."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("voxgrad")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0"
