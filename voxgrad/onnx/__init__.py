"""Voices as ONNX files: the graph, how it is written and checked, and ONNX Runtime, which needs no torch."""
