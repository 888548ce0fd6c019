"""The eye of the demonstration model: a picture becomes 144 tokens, each a vote and a place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from tools.demo_model import wiring
from tools.demo_model.wiring import COLOURS, Matrix, finish, ones, zeros

IMAGE_PX, PATCH_PX = 96, 8
SIDE = IMAGE_PX // PATCH_PX
WIDTH, HIDDEN = 32, 64
BLOCKS = 2
"""llama.cpp takes the last but one block's output for this kind of projector."""
SHARPNESS = 20.0
"""Makes GELU as good as ReLU."""
THRESHOLD = 1.2
"""Of the dot product with a colour's corner: 3 for the pure colour, 1 for its neighbour."""
BACKGROUND_WEIGHT = 0.25
"""Black and white are what colours stand out from."""
_PLACE = slice(3, 7)
"""Where the vision stream keeps the place of a patch; 0 to 2 hold its mean colour, -1 to 1."""


def write(path: Path) -> None:
    """The projector file: patch -> mean colour -> which corner of the RGB cube it is near."""
    writer = GGUFWriter(path, "clip")
    _describe(writer)
    writer.add_tensor("v.patch_embd.weight", _mean_colour())
    writer.add_tensor("v.patch_embd.bias", zeros(WIDTH))
    writer.add_tensor("v.position_embd.weight", _places())
    for block in range(BLOCKS):
        _add_idle_block(writer, f"v.blk.{block}")
    _add_projector(writer)
    finish(writer)


def _describe(writer: GGUFWriter) -> None:
    writer.add_type("mmproj")
    writer.add_name("evalrun demonstration (vision)")
    writer.add_license("Apache-2.0")
    writer.add_file_type(0)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    sizes = {
        "image_size": IMAGE_PX,
        "patch_size": PATCH_PX,
        "embedding_length": WIDTH,
        "feed_forward_length": HIDDEN,
        "projection_dim": wiring.WIDTH,
        "attention.head_count": 1,
        "block_count": BLOCKS,
    }
    for key, value in sizes.items():
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])


def _mean_colour() -> Matrix:
    kernel = zeros(WIDTH, 3, PATCH_PX, PATCH_PX)
    for channel in range(3):
        kernel[channel, channel] = 1 / PATCH_PX**2
    return kernel


def _places() -> Matrix:
    places = zeros(SIDE * SIDE, WIDTH)
    for index in range(SIDE * SIDE):
        row, column = divmod(index, SIDE)
        left, top = column < SIDE / 2, row < SIDE / 2
        places[index, _PLACE] = left, not left, top, not top
    return places


def _add_idle_block(writer: GGUFWriter, name: str) -> None:
    """A transformer block that adds nothing to what passes through."""
    for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
        writer.add_tensor(f"{name}.{part}.weight", zeros(WIDTH, WIDTH))
    for norm in ("ln1", "ln2"):
        writer.add_tensor(f"{name}.{norm}.weight", ones(WIDTH))
        writer.add_tensor(f"{name}.{norm}.bias", zeros(WIDTH))
    writer.add_tensor(f"{name}.ffn_up.weight", zeros(HIDDEN, WIDTH))
    writer.add_tensor(f"{name}.ffn_down.weight", zeros(WIDTH, HIDDEN))


def _add_projector(writer: GGUFWriter) -> None:
    detect, offset = zeros(wiring.WIDTH, WIDTH), zeros(wiring.WIDTH)
    carry, bias = zeros(wiring.WIDTH, wiring.WIDTH), zeros(wiring.WIDTH)
    for unit, (name, corner) in enumerate(COLOURS.items()):
        detect[unit, :3] = SHARPNESS * np.array(corner)
        offset[unit] = -SHARPNESS * THRESHOLD
        worth = BACKGROUND_WEIGHT if name in ("black", "white") else 1.0
        carry[wiring.VOTES.start + unit, unit] = worth / SHARPNESS
    for side in range(len(wiring.SIDES)):
        unit = len(COLOURS) + side
        detect[unit, _PLACE.start + side] = SHARPNESS
        carry[wiring.LIES.start + side, unit] = 1 / SHARPNESS
    bias[wiring.BIAS] = wiring.BIAS_SIZE
    for layer, weight, shift in (("mm.0", detect, offset), ("mm.2", carry, bias)):
        writer.add_tensor(f"{layer}.weight", weight)
        writer.add_tensor(f"{layer}.bias", shift)
