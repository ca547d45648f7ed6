#!/usr/bin/env python3
"""Loads a GPTQ folder that `walsh export` wrote with GPTQModel and compares every weight with the run's.

    tools/check_gptq.py RUN EXPORT

RUN: a run of `walsh train`, whose probe.json has the hash of every weight of its forward pass in fp32.
EXPORT: a folder of `--format gptq`.

GPTQModel unpacks codes, zeros and g_idx with its own kernels for the CPU. For every layer: s·(q − z) of its codes, zeros
and fp16 scales in fp32 has the hash in probe.json; its own fp16 weight is fp16(s·(q − z)), bit for bit; g_idx is j / g. Then
the logits of the probe, which it computes in 16 bits, beside the run's. Needs gptqmodel, torch and xxhash; exit status 1
where anything differs but the logits."""
import json
import os
import pathlib
import sys

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # nothing here is worth compiling

import torch
import xxhash
from gptqmodel import BACKEND, GPTQModel


def differences(module, expected_hash):
    wrong = []
    half = module.dequantize_weight().T.contiguous()
    scales = module.scales
    module.scales = scales.float()
    exact = super(type(module), module).dequantize_weight().T.contiguous()  # the class itself keeps weights
    module.scales = scales
    if scales.dtype != torch.float16:
        wrong.append(f"scales are {scales.dtype}")
    if xxhash.xxh3_128(exact.numpy().tobytes()).hexdigest() != expected_hash:
        wrong.append("weights differ from the run's")
    if not torch.equal(half.view(torch.int16), exact.half().view(torch.int16)):
        wrong.append("fp16 weights are not fp16(s·(q − z))")
    inputs = exact.shape[1]
    group = inputs // scales.shape[0]
    if not torch.equal(module.g_idx.long(), torch.arange(inputs) // group):
        wrong.append("g_idx is not j / g")
    return wrong


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    probe = json.loads((pathlib.Path(sys.argv[1]) / "probe.json").read_text())
    model = GPTQModel.load(sys.argv[2], backend=BACKEND.GPTQ_TORCH if hasattr(BACKEND, "GPTQ_TORCH") else BACKEND.TORCH,
                           device="cpu", dtype=torch.float16)
    layers = {name.removeprefix("model.", ) if name.startswith("model.model.") else name: module
              for name, module in model.named_modules() if hasattr(module, "qweight")}
    expected = {name.removesuffix(".weight"): digest for name, digest in probe["weights"].items()}
    failed = False
    if layers.keys() != expected.keys():
        failed = True
        print(f"layers differ: {sorted(layers.keys() ^ expected.keys())[:4]}")
    for name in layers.keys() & expected.keys():
        for what in differences(layers[name], expected[name]):
            failed = True
            print(f"{name}: {what}")
    with torch.no_grad():
        got = model.model(torch.tensor([probe["ids"]])).logits[0, -1].float()
    want = torch.tensor(probe["logits"])
    print(f"{len(layers)} layers, {'DIFFERENT' if failed else 'every weight the same to the bit'}; "
          f"logits up to {want.abs().max():.3f}, difference {(got - want).abs().max():.2e}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
