"""Voices as ONNX graphs: exporting, checking, and running them with ONNX Runtime, which needs no torch."""
