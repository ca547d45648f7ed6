#!/usr/bin/env python3
"""Writes a GGUF model as a Hugging Face folder with its weights dequantised (float32).

  tools/dequantize_gguf.py FILE.gguf OUT --tokenizer DIR

Needs torch, transformers, accelerate and gguf (development only). --tokenizer names a folder whose tokenizer files are copied; what
a GGUF file says of its tokenizer is not enough to write a tokenizer.json.
"""
import argparse
import pathlib
import shutil

import torch
import transformers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        arguments.file.parent, gguf_file=arguments.file.name, dtype=torch.float32)
    model.hf_quantizer = None  # what is saved is no longer quantised
    del model.config.quantization_config
    model.save_pretrained(arguments.out)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (arguments.tokenizer / name).exists():
            shutil.copy(arguments.tokenizer / name, arguments.out / name)


if __name__ == "__main__":
    main()
