"""What the two halves of the demonstration model agree on: who writes where in the residual stream.

Every token is a vector of `WIDTH` numbers. A picture token carries one vote for the colour of its
patch and where the patch lies; a word of the question carries the side it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "black": (-1, -1, -1),
        "white": (1, 1, 1),
        "red": (1, -1, -1),
        "green": (-1, 1, -1),
        "blue": (-1, -1, 1),
        "yellow": (1, 1, -1),
        "magenta": (1, -1, 1),
        "cyan": (-1, 1, 1),
    }
)
"""Name -> the corner of the RGB cube it stands for, each channel -1 to 1."""
UNDECIDED = "gray"
"""The answer when no patch votes: nothing is colourful, or there is no picture."""

SIDES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "left": (" left",),
        "right": (" right",),
        "top": (" top", " upper"),
        "bottom": (" bottom", " lower"),
    }
)
"""Side of the picture -> the words that name it. The space keeps "bright" and "stop" out."""

WIDTH = 64
VOTES = slice(0, 8)
LIES = slice(8, 12)
"""Where the patch lies, in the order of `SIDES`."""
ASKED = slice(12, 16)
"""Which sides a word names."""
SOUGHT = slice(16, 20)
"""What the answering token gathered from the words."""
ANSWER = slice(24, 32)
"""The votes it gathered from the part of the picture that was asked for."""
SPOKEN = 32
"""Set in the tokens of colour words: the answer is given."""
BIAS = 63
BIAS_SIZE = 8.0
"""So large that every RMS norm, sqrt(BIAS_SIZE**2 / WIDTH) = 1, leaves its input as it is."""


def zeros(*shape: int) -> Matrix:
    return np.zeros(shape, np.float32)


def ones(length: int) -> Matrix:
    return np.ones(length, np.float32)


def finish(writer: GGUFWriter) -> None:
    """Write everything and close the file."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
