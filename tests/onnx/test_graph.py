"""The graph's parts against torch's, and the whole of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from voxgrad.acoustic_model import AcousticModel
from voxgrad.errors import BadInputError
from voxgrad.model.gradtts import TokenProsody
from voxgrad.onnx.export import agreement, exported, require_exportable, speech_graph
from voxgrad.onnx.file import GraphDescription, check
from voxgrad.onnx.fourier import FourierTransform
from voxgrad.onnx.graph import with_products
from voxgrad.onnx.runtime import MODEL, Noise, OnnxGraph, settings_of
from voxgrad.settings import MelSpec, OnnxSpec, SynthesisSpec
from voxgrad.vocoder.hifigan import HiFiGAN, HiFiGANSpec
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec, istft, stft
from voxgrad.vocoder.registry import Vocoder


@pytest.mark.parametrize(
    "mel",
    [MelSpec(), MelSpec(n_fft=600, win_length=480, hop_length=150), MelSpec(n_fft=35, win_length=35, hop_length=7)],
)
def test_fourier_transforms_are_those_of_torch(mel: MelSpec):
    transform = FourierTransform(mel)
    samples = torch.randn(1, 9 * mel.hop_length, generator=torch.Generator().manual_seed(0))
    wanted = stft(samples, mel)[0]
    real, imaginary = transform(samples[0])
    assert torch.allclose(torch.complex(real, imaginary), wanted, atol=1e-4)
    assert torch.allclose(transform.inverse(real, imaginary), istft(wanted[None], mel)[0], atol=1e-5)


@pytest.mark.parametrize("seed", [0, 7, 2**32 + 7, 2**63 - 1])
def test_noise_is_that_of_torch(seed: int):
    wanted = torch.randn(80, 12, generator=torch.Generator().manual_seed(seed)).numpy().reshape(-1)
    noise = Noise(seed)
    assert np.abs(np.concatenate([noise.draw(320), noise.draw(4480)])[:960] - wanted).max() < 2e-6
    with pytest.raises(ValueError, match="17"):
        noise.draw(17)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_convolution_is_a_product_of_matrices(kernel: int):
    layer = torch.nn.Sequential(torch.nn.Conv1d(6, 4, kernel, padding=kernel // 2))
    x = torch.randn(1, 6, 9, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(with_products(layer)(x), layer(x), atol=1e-6)
    assert isinstance(layer[0], torch.nn.Conv1d)


def said(graph, tokens, seed=0, **synthesis):
    spec, how = settings_of(graph)
    runtime = OnnxGraph.load(graph.path(MODEL), spec, how)
    return runtime.speak(tokens, SynthesisSpec(steps=2, **synthesis), seed)


def test_an_imported_graph_keeps_what_it_may_be_used_for(graph):
    assert graph.manifest.consent == "mine"
    assert graph.manifest.licence == "CC0-1.0"


@pytest.mark.parametrize("length", [1, 2, 30, 200])
def test_a_graph_speaks_any_length(graph, length: int):
    output = said(graph, [number % 140 for number in range(length)])
    assert len(output.durations) == length
    assert sum(output.durations) % 4 == 0
    assert output.mel.shape == (80, sum(output.durations))
    assert len(output.samples) == 256 * sum(output.durations)
    assert np.isfinite(output.samples).all()


def test_inputs_do_what_they_say(graph):
    tokens = list(range(40))
    plain = said(graph, tokens)
    spec, how = settings_of(graph)
    runtime, rate = OnnxGraph.load(graph.path(MODEL), spec, how), np.ones(40, np.float32)
    rate[20:] = 0.5
    halves = runtime.speak(tokens, SynthesisSpec(steps=2), 0, None, rate, 3 * (rate - 1)).durations
    assert sum(halves[:20]) == pytest.approx(sum(plain.durations[:20]), abs=2)
    assert sum(halves[20:]) > 1.5 * sum(plain.durations[20:])
    assert sum(said(graph, tokens, speed=0.5).durations) > 1.5 * sum(plain.durations)
    assert np.array_equal(plain.samples, said(graph, tokens).samples)
    other, still = said(graph, tokens, seed=1), said(graph, tokens, temperature=0.0)
    assert not np.array_equal(plain.mel, other.mel)
    assert np.array_equal(still.mel, said(graph, tokens, seed=1, temperature=0.0).mel)


def test_a_question_rises_as_by_torch(graph, acoustic, vocoder):
    spec, how = settings_of(graph)
    model, tokens, ones = acoustic(), list(range(40)), np.ones(40, np.float32)
    rise = np.r_[np.zeros(30), np.ones(10)].astype(np.float32)
    changes = (ones, 0 * ones, rise)
    runtime = OnnxGraph.load(graph.path(MODEL), spec, how)
    risen = runtime.speak(tokens, SynthesisSpec(steps=2), 0, None, *changes)
    by_torch = model.model.synthesize(
        torch.tensor([tokens]),
        torch.tensor([40]),
        SynthesisSpec(steps=2, precision="float32"),
        torch.Generator().manual_seed(0),
        torch.tensor([model.row]),
        model.spec.duration_scale,
        TokenProsody(*map(torch.from_numpy, changes)),
    ).mel[0]
    assert np.abs(risen.mel - by_torch.clamp(*spec.mel.range).numpy()).max() < 1e-3
    assert np.abs(risen.mel - said(graph, tokens).mel).max() > 0.01


def written(place: Path, model: AcousticModel, vocoder: Vocoder, spec: OnnxSpec) -> Path:
    """A graph that says what it is."""
    path, pitch = place / "model.onnx", (120.0,) * model.spec.model.n_spks
    description = GraphDescription(model.spec, spec, "one", "voice", {}, None, None, pitch)
    path.write_bytes(exported(speech_graph(model, vocoder, spec), spec, description))
    assert check(path.read_bytes()) == description
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec", [OnnxSpec(steps=1), OnnxSpec(steps=3, sampler="dpmpp"), OnnxSpec(steps=4, sampler="euler")]
)
def test_steps_and_samplers_are_unrolled(spec: OnnxSpec, tmp_path, acoustic, vocoder):
    model = acoustic(n_spks=1)
    assert agreement(model, vocoder, spec, written(tmp_path, model, vocoder, spec)).same_durations == 1


@pytest.mark.slow
def test_hifigan_can_be_in_a_graph(tmp_path, acoustic):
    sizes = HiFiGANSpec(
        resblock="2",
        upsample_rates=(8, 8, 4),
        upsample_kernel_sizes=(16, 16, 8),
        upsample_initial_channel=16,
        resblock_kernel_sizes=(3,),
        resblock_dilation_sizes=((1, 3),),
    )
    torch.manual_seed(2)
    model, sound, spec = acoustic(n_spks=1), HiFiGAN.build(sizes, MelSpec()), OnnxSpec(steps=1)
    assert agreement(model, sound, spec, written(tmp_path, model, sound, spec)).sample_largest < 1e-3


@pytest.mark.parametrize("quantize", [pytest.param("half", marks=pytest.mark.slow), "int8"])
def test_quantised_graphs_are_smaller_and_near(graph, tmp_path, acoustic, vocoder, quantize):
    model, spec = acoustic(), OnnxSpec(quantize=quantize, steps=1)
    path = written(tmp_path, model, vocoder, spec)
    assert path.stat().st_size < 0.8 * graph.path(MODEL).stat().st_size  # the tables stay as they are
    found = agreement(model, vocoder, spec, path)
    assert found.mel_mean < (1e-3 if quantize == "half" else 0.1)


def test_what_cannot_be_exported_says_why(acoustic, vocoder):
    model = acoustic()
    with pytest.raises(BadInputError, match="estimates phases"):
        require_exportable(model, GriffinLim(GriffinLimSpec(), MelSpec()), "vocoder Griffin-Lim")
    with pytest.raises(BadInputError, match="U-Net"):
        require_exportable(acoustic(decoder="unet", dec_dim=8), vocoder, "vocoder")


def test_durations_that_all_differ_are_told_not_compared(graph, acoustic, vocoder, monkeypatch):
    model, spec, path, speak = acoustic(), OnnxSpec(quantize="none"), graph.path(MODEL), OnnxGraph.speak
    monkeypatch.setattr(OnnxGraph, "speak", lambda *asked: replace(speak(*asked), durations=(1,)))
    with pytest.raises(BadInputError, match="100% of the sentences have different durations"):
        agreement(model, vocoder, spec, path)
    found = agreement(model, vocoder, spec.model_copy(update={"quantize": "int8"}), path)
    assert (found.same_durations, found.mel_largest, found.audio_rms) == (0, None, None)
