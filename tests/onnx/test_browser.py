"""The page of docs/anywhere.md in a browser: `VOXGRAD_ORT_WEB` names the folder ``dist`` of onnxruntime-web."""

import os
import re
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

PAGE = Path(__file__).parents[2] / "docs" / "anywhere.md"
AUTOMATIC = """
say("Hello there, friend.").then((sound) => fetch("/heard", { method: "POST", body: sound }));
</script>
"""


class Handler(SimpleHTTPRequestHandler):
    """Serves files, and keeps what the page sends."""

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        (Path(self.directory) / "heard.wav").write_bytes(content)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Is silent."""


@pytest.mark.slow
def test_a_browser_speaks(own, done, tmp_path):
    browser, runtime = shutil.which("chromium"), os.environ.get("VOXGRAD_ORT_WEB")
    if browser is None or runtime is None:
        pytest.skip("needs chromium, and onnxruntime-web in VOXGRAD_ORT_WEB")
    place = tmp_path / "web"
    place.mkdir()
    done("export", "small", "--vocoder", "pulses", "--format", "onnx", "-o", place / "alice-onnx")
    (place / "dist").symlink_to(Path(runtime).resolve())
    page = re.search(r"```html\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    (place / "index.html").write_text(page.rstrip().removesuffix("</script>") + AUTOMATIC, encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(place))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=100000"]
        subprocess.run([browser, *options, f"--screenshot={place}/page.png", address], check=True, timeout=120)
        server.shutdown()
    samples, rate = soundfile.read(place / "heard.wav", dtype="float32")
    assert rate == 22050
    assert len(samples) > 4000
    assert np.abs(samples).max() > 0
    assert (place / "page.png").stat().st_size > 0
