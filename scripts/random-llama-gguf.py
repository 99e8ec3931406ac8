"""A Llama of random weights as a GGUF file, in the shape of `calm synth transformer-s`, for llama.cpp's own benchmarks.

    pip install gguf numpy
    python scripts/random-llama-gguf.py transformer-s.gguf --type q8_0
    llama-batched-bench -m transformer-s.gguf -c 20480 -b 2048 -ub 512 -npp 512 -ntg 48 -npl 1,8,32 -t 2

The vocabulary is made of numbered tokens: batched-bench draws its tokens by id and never reads their text.
"""

import argparse

import gguf
import numpy as np

LAYERS, HIDDEN, INTERMEDIATE, HEADS, VOCABULARY, CONTEXT = 12, 768, 2048, 16, 128257, 2048
TYPES = {"q8_0": gguf.GGMLQuantizationType.Q8_0, "q4_0": gguf.GGMLQuantizationType.Q4_0}


def add_vocabulary(writer: gguf.GGUFWriter) -> None:
    """Numbered tokens for a byte-level BPE without any merge worth the name."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list([f"token{index}" for index in range(VOCABULARY)])
    writer.add_token_types([gguf.TokenType.NORMAL] * VOCABULARY)
    writer.add_token_merges(["t o", "to k"])
    writer.add_bos_token_id(128000)
    writer.add_eos_token_id(128001)


def matrices() -> dict[str, tuple[int, int]]:
    """Names and shapes, outputs first, as llama.cpp's `llama` architecture wants them."""
    shapes = {"token_embd": (VOCABULARY, HIDDEN), "output": (VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        prefix = f"blk.{layer}."
        shapes |= {f"{prefix}attn_{part}": (HIDDEN, HIDDEN) for part in ("q", "k", "v", "output")}
        shapes |= {f"{prefix}ffn_{part}": (INTERMEDIATE, HIDDEN) for part in ("gate", "up")}
        shapes[f"{prefix}ffn_down"] = (HIDDEN, INTERMEDIATE)
    return shapes


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--type", choices=TYPES, default="q8_0")
    options = parser.parse_args()
    kind = TYPES[options.type]
    random = np.random.default_rng(0)

    writer = gguf.GGUFWriter(options.out, "llama")
    writer.add_name("random transformer-s")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INTERMEDIATE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(VOCABULARY)
    add_vocabulary(writer)
    for name, shape in matrices().items():
        values = 0.02 * random.standard_normal(shape, dtype=np.float32)
        writer.add_tensor(f"{name}.weight", gguf.quantize(values, kind), raw_dtype=kind)
    norms = ["output_norm", *(f"blk.{layer}.{part}_norm" for layer in range(LAYERS) for part in ("attn", "ffn"))]
    for name in norms:
        writer.add_tensor(f"{name}.weight", np.ones(HIDDEN, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
