"""The whole life of a local llama.cpp server: weights, start, preflight, questions, end.

Imports nothing here: every run looks for weights, and few start a server.
"""
