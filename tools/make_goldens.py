#!/usr/bin/env python3
"""Writes the golden numbers of a model in models/ that tests compare walsh with.

    venv/bin/python tools/make_goldens.py models/walsh-tiny tests/goldens/walsh-tiny.json

The reference is transformers' LlamaForCausalLM in float32 on the CPU, eager attention, on the weights as they are stored.
For each text: its token ids; the negative log-likelihood of each token after the first and their mean (the loss); the
eight largest logits at the last position with their ids, and the sum of squares of all of them; the greedy continuation.
"""
import argparse
import json
import pathlib

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXTS = [
    "Once upon a time",
    "There was once a mouse called Tilly, who was very",
    "Max had three apples in a basket. He gave one apple to Ruby. Now Max had",
    "Zoe was a gentle girl. She always carried a silver bell. One morning the bell was gone.\n\n\"Have you seen my bell?\" "
    "she asked Leo. \"Let us look for it together,\" Leo said. Then Leo found the bell",
    "Rose had a red kite, and Finn had a blue boat. They traded. Now Finn had the kite and Rose had the boat.\n\n"
    "Who has the kite now?",
    "A caf\u00e9 costs 42 euros, says the na\u00efve robot: \u2603!  Two spaces,\ta tab.",
]


def main():
    parser = argparse.ArgumentParser(description="write golden logits and losses of a model")
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32, attn_implementation="eager").eval()
    cases = []
    for text in TEXTS:
        ids = tokenizer(text).input_ids
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0]
            greedy = list(ids)
            for _ in range(16):
                greedy.append(model(input_ids=torch.tensor([greedy])).logits[0, -1].argmax().item())
        losses = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="none")
        top = logits[-1].topk(8)
        cases.append({"text": text, "ids": ids, "token_losses": [round(x, 6) for x in losses.tolist()],
                      "loss": round(losses.double().mean().item(), 7), "top_ids": top.indices.tolist(),
                      "top_logits": [round(x, 6) for x in top.values.tolist()],
                      "sum_of_squares": round(logits[-1].double().square().sum().item(), 4), "greedy_ids": greedy[len(ids):],
                      "greedy_text": tokenizer.decode(greedy[len(ids):])})
    golden = {"model": arguments.model.name, "reference": "transformers float32, eager attention, on the stored weights",
              "made_by": f"tools/make_goldens.py {arguments.model} {arguments.out}", "cases": cases}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
