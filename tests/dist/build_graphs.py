"""Make the ONNX graphs that come with the package: of `english`, its base in every language, and its vocoder.

Usage: build_graphs.py. To be run after a change of `voxgrad.onnx.graph` or of the networks, with a raised
`voxgrad.onnx.networks.VERSION`; tests/onnx/test_networks.py compares what is there with torch.
"""

import shutil
import tempfile
from pathlib import Path

from voxgrad.events import ignore
from voxgrad.onnx import networks
from voxgrad.onnx.external import write_graphs
from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.store import Store
from voxgrad.vocoder.registry import load_vocoder
from voxgrad.voice.load import QUANTIZE, find_vocoder
from voxgrad.weights import acoustic_spec_of, languages_of


def main() -> None:
    """Makes them."""
    with tempfile.TemporaryDirectory() as home:
        store = Store.open(Path(home))
        base = store.find("base/english")
        vocoder = find_vocoder(store, None, base, ignore)
        network = load_vocoder(vocoder, acoustic_spec_of(base).mel, str(base))
        shutil.rmtree(networks.EMBEDDED, ignore_errors=True)
        languages = languages_of(base, store).values()
        taught = dict.fromkeys((made, made.manifest.settings["languages"][0]) for made in languages)
        for language in (None, *taught):
            write_graphs(networks.EMBEDDED.parent, load_acoustic_model(base, language), network, QUANTIZE)
    for path in sorted(networks.EMBEDDED.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
