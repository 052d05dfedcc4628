"""A random model as GGUF, and wheels that carry files, for what is fetched and converted."""

from __future__ import annotations

import zipfile
from pathlib import Path


def write_gguf(path: Path, *, size: int = 64) -> bytes:
    """Write a random two-layer Llama as GGUF with a byte-level vocabulary; return the file's bytes."""
    import gguf
    import numpy
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merged = letters[0] + letters[1]
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters, merged]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_context_length(128)
    writer.add_embedding_length(size)
    writer.add_feed_forward_length(2 * size)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(size // 4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3, *[1] * len(letters), 1])
    writer.add_token_merges([f"{letters[0]} {letters[1]}"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    random = numpy.random.default_rng(0)
    shapes = {"token_embd": (len(tokens), size), "output_norm": (size,)}
    for block in (0, 1):
        shapes |= {f"blk.{block}.{name}": (size,) for name in ("attn_norm", "ffn_norm")}
        shapes |= {f"blk.{block}.{name}": (size, size) for name in ("attn_q", "attn_output")}
        shapes |= {f"blk.{block}.{name}": (size // 2, size) for name in ("attn_k", "attn_v")}
        shapes |= {f"blk.{block}.{name}": (2 * size, size) for name in ("ffn_gate", "ffn_up")}
        shapes |= {f"blk.{block}.ffn_down": (size, 2 * size)}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.normal(size=shape).astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def write_wheel(folder: Path, name: str, member: str, content: bytes) -> None:
    """Write a wheel with one file, as pip accepts it; it requires a package that does not exist."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{module}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: not-there-at-all\n",
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
