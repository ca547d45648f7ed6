#!/usr/bin/env python3
"""Writes tests/goldens/ggml_blocks.json: blocks of every quantised GGUF type that walsh reads, with their weights.

    venv/bin/python tools/make_gguf_goldens.py tests/goldens/ggml_blocks.json

The reference is the dequantisation of the gguf Python package. Blocks are random bytes with scales in a plausible range,
so that every bit of the layouts counts; weights are written as the bits of their fp32 values.
"""
import argparse
import json
import pathlib

import gguf
import numpy as np

# Type, and the offsets of the fp16 scales in a block.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208]}


def main():
    parser = argparse.ArgumentParser(description="write golden blocks of GGUF types")
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    random = np.random.default_rng(7)
    cases = []
    for name, offsets in SCALES.items():
        kind = gguf.GGMLQuantizationType[name]
        weights, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (2 if weights > 32 else 3, size), dtype=np.uint8)
        for row in blocks:
            for offset in offsets:
                scale = np.float16(random.normal() * 0.02)
                row[offset:offset + 2] = np.frombuffer(scale.tobytes(), dtype=np.uint8)
        values = gguf.quants.dequantize(blocks, kind).astype(np.float32)
        cases.append({"type": name, "bytes": blocks.tobytes().hex(),
                      "weights": values.reshape(-1).view(np.uint32).tolist()})
    golden = {"reference": "gguf Python package, quants.dequantize",
              "made_by": f"tools/make_gguf_goldens.py {arguments.out}", "cases": cases}
    arguments.out.write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
