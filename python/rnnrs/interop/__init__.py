"""Weights from and for other libraries; picture features from an ONNX file (extra "onnx")."""
