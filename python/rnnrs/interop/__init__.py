"""Weights from other libraries and for them; features of pictures by an ONNX file, which needs the extra "onnx"."""
