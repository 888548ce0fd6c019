"""The whole life of a local llama.cpp server: weights, start, preflight, questions, end."""

from harness.adapters.llamacpp.adapter import open_llamacpp

__all__ = ["open_llamacpp"]
