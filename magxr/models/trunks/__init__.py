"""Architectures of the trunks as plain data, one module a family. Nothing here imports Keras."""
