"""What FFmpeg finds in an audio file: how it is coded, and the loudness and the true peak of its meter (EBU R128)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest


@dataclass(frozen=True)
class Found:
    codec: str
    rate: int
    channels: int
    bit_rate: int  # kbit/s
    lufs: float
    peak: float  # dB


def examine(path: Path | str) -> Found:
    av = pytest.importorskip("av")
    if not hasattr(av.AudioFrame, "metadata"):
        pytest.skip("the meter's figures can be read from PyAV 18.1 on")
    last = {}
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        graph = av.filter.Graph()
        source, meter = graph.add_abuffer(template=stream), graph.add("ebur128", "peak=true:metadata=1:framelog=quiet")
        sink = graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        for frame in [*container.decode(stream), None]:
            source.push(frame)
            while True:
                try:
                    last.update(sink.pull().metadata)
                except (av.BlockingIOError, av.EOFError):
                    break
        return Found(
            *(stream.codec_context.name, stream.rate, stream.channels, (stream.bit_rate or 0) // 1000),
            float(last["lavfi.r128.I"]),
            20 * np.log10(float(last["lavfi.r128.true_peak"])),
        )
