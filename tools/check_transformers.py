#!/usr/bin/env python3
"""Loads what `walsh export` wrote with transformers, or with PEFT, and compares the logits with the run's.

    tools/check_transformers.py RUN EXPORT [--model DIR]

RUN: a run of `walsh train`; its probe.json holds token ids and the logits after the last of them.
EXPORT: a folder of `--format merged`, or of `--format adapter` for lora, which PEFT loads onto the model in --model
(default: the run's base, which must then be unquantised).

Needs torch and transformers, for adapters peft too. Prints the largest difference of a logit; exit status 1 where it is
above 1e-3, or above 1e-3 of the largest logit where that is more than 1."""
import argparse
import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def last_logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0, -1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("export", type=pathlib.Path)
    parser.add_argument("--model", help="what the adapter stands on")
    args = parser.parse_args()
    probe = json.loads((args.run / "probe.json").read_text())
    expected = torch.tensor(probe["logits"])
    if (args.export / "adapter_config.json").exists():
        from peft import PeftModel

        base = load(args.model or json.loads((args.run / "base.json").read_text())["path"])
        plain = last_logits(base, probe["ids"])
        got = last_logits(PeftModel.from_pretrained(base, str(args.export)).eval(), probe["ids"])
        what = f"adapter, whose own part is {(got - plain).abs().max():.2e}"
    else:
        got = last_logits(load(args.export), probe["ids"])
        what = "merged model"
    largest, difference = expected.abs().max().item(), (got - expected).abs().max().item()
    same_choice = got.argmax().item() == expected.argmax().item()
    print(f"{what}: logits up to {largest:.3f}, largest difference {difference:.2e}, "
          f"{'the same' if same_choice else 'ANOTHER'} most likely token")
    return 0 if difference <= 1e-3 * max(largest, 1.0) and same_choice else 1


if __name__ == "__main__":
    sys.exit(main())
