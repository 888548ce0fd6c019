"""The mouth of the demonstration model: two attention layers that look where they are asked to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

from tools.demo_model.wiring import (
    ANSWER,
    ASKED,
    BIAS,
    BIAS_SIZE,
    COLOURS,
    LIES,
    SIDES,
    SOUGHT,
    SPOKEN,
    UNDECIDED,
    VOTES,
    WIDTH,
    Matrix,
    finish,
    ones,
    zeros,
)

CONTEXT_TOKENS = 4096
HIDDEN = 32
ROPE_BASE = 1e8
STEADY = slice(56, 60)
"""Dimensions of a query that rotary encoding turns by less than 0.01 over the whole context."""
READING_GAIN = 300.0
"""Undoes the dilution of one word among some 300 tokens of question and picture."""
LOOKING_GAIN = 400.0
"""How much more a patch on the named side weighs in the softmax: exp(400 / sqrt(64))."""
TEMPLATE = (
    "{%- for message in messages -%}"
    "<|turn|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|turn|>assistant\n{%- endif -%}"
)
_SPECIAL = ("<unk>", "<s>", "</s>", "<|turn|>", "<|end|>")
_END = _SPECIAL.index("<|end|>")
_WORDS = (UNDECIDED, *COLOURS)


def write(path: Path) -> None:
    """The text weights: layer 0 reads which sides are asked for, layer 1 counts votes there."""
    writer = GGUFWriter(path, "llama")
    tokens = _describe(writer)
    writer.add_tensor("token_embd.weight", _embedding(tokens))
    still = zeros(WIDTH, WIDTH)
    read, note = still.copy(), still.copy()
    _wire(read, STEADY, ASKED, 1.0)
    _wire(note, SOUGHT, STEADY, READING_GAIN)
    _add_layer(writer, 0, query=still, key=still, value=read, output=note)
    seek, place, count, answer = (still.copy() for _ in range(4))
    _wire(seek, STEADY, SOUGHT, LOOKING_GAIN)
    _wire(place, STEADY, LIES, 1.0)
    _wire(count, VOTES, VOTES, 1.0)
    _wire(answer, ANSWER, VOTES, 1.0)
    _add_layer(writer, 1, query=seek, key=place, value=count, output=answer)
    writer.add_tensor("output_norm.weight", ones(WIDTH))
    writer.add_tensor("output.weight", _voice(tokens))
    finish(writer)


def _describe(writer: GGUFWriter) -> list[str]:
    """Write the metadata; return the vocabulary."""
    writer.add_type("model")
    writer.add_name("evalrun demonstration (text)")
    writer.add_license("Apache-2.0")
    writer.add_file_type(0)
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(2)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_rope_dimension_count(WIDTH)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(1e-5)
    tokens, types = _vocabulary()
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(_END)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)
    return tokens


def _vocabulary() -> tuple[list[str], list[TokenType]]:
    """Every byte, printable ASCII, and whole the words that mean something to the model."""
    special = list(_SPECIAL)
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    letters = ["\u2581", *map(chr, range(33, 127))]
    words = [*_WORDS, *(word for names in SIDES.values() for word in names)]
    types = [
        TokenType.UNKNOWN,
        *[TokenType.CONTROL] * (len(special) - 1),
        *[TokenType.BYTE] * len(bytes_),
        *[TokenType.NORMAL] * len(letters),
        *[TokenType.USER_DEFINED] * len(words),
    ]
    return special + bytes_ + letters + words, types


def _embedding(tokens: list[str]) -> Matrix:
    embedding = zeros(len(tokens), WIDTH)
    embedding[:, BIAS] = BIAS_SIZE
    for word in _WORDS:
        embedding[tokens.index(word), SPOKEN] = 1.0
    for side, words in enumerate(SIDES.values()):
        for word in words:
            embedding[tokens.index(word), ASKED.start + side] = 1.0
    return embedding


def _voice(tokens: list[str]) -> Matrix:
    """Logits: the colour with most votes, or `UNDECIDED`; after a colour word, the end."""
    voice = zeros(len(tokens), WIDTH)
    for index, word in enumerate(_WORDS):
        voice[tokens.index(word), BIAS] = 1.01 if word == UNDECIDED else 1.0
        if word != UNDECIDED:
            voice[tokens.index(word), ANSWER.start + index - 1] = 100.0
    voice[_END, SPOKEN] = 1e4
    return voice


def _wire(matrix: Matrix, to: slice, source: slice, gain: float) -> None:
    """Copy the numbers at `source` to the places at `to`, times `gain`."""
    matrix[to, source] = gain * np.eye(to.stop - to.start, dtype=np.float32)


def _add_layer(
    writer: GGUFWriter, index: int, *, query: Matrix, key: Matrix, value: Matrix, output: Matrix
) -> None:
    """One transformer layer that only attends; its feed-forward part is idle."""
    name = f"blk.{index}"
    for norm in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"{name}.{norm}.weight", ones(WIDTH))
    parts = {"attn_q": query, "attn_k": key, "attn_v": value, "attn_output": output}
    for part, weight in parts.items():
        writer.add_tensor(f"{name}.{part}.weight", weight)
    writer.add_tensor(f"{name}.ffn_gate.weight", zeros(HIDDEN, WIDTH))
    writer.add_tensor(f"{name}.ffn_up.weight", zeros(HIDDEN, WIDTH))
    writer.add_tensor(f"{name}.ffn_down.weight", zeros(WIDTH, HIDDEN))
