#!/usr/bin/env python3
"""Loads the LoRA adapter of a run with PEFT and compares the logits of its probe.json.

    tools/check_peft.py RUN [MODEL]

MODEL: the unquantised folder that the adapter stands on; default: the run's base. Needs torch, transformers and
peft. Prints the largest difference; exit status 1 beyond 1e-3 of the largest logit."""
import json
import pathlib
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def main():
    run = pathlib.Path(sys.argv[1])
    model = sys.argv[2] if len(sys.argv) > 2 else json.loads((run / "base.json").read_text())["path"]
    probe = json.loads((run / "probe.json").read_text())
    base = AutoModelForCausalLM.from_pretrained(model, torch_dtype=torch.float32)
    ids = torch.tensor([probe["ids"]])
    expected = torch.tensor(probe["logits"])
    with torch.no_grad():
        plain = base(ids).logits[0, -1]
        adapted = PeftModel.from_pretrained(base, str(run / "adapter")).eval()(ids).logits[0, -1]
    largest = expected.abs().max().item()
    difference = (adapted - expected).abs().max().item()
    print(f"largest logit {largest:.4f}, difference {difference:.2e}, "
          f"the adapter's own part {(adapted - plain).abs().max().item():.2e}")
    return 0 if difference <= 1e-3 * largest else 1


if __name__ == "__main__":
    sys.exit(main())
