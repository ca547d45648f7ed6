#!/usr/bin/env python3
"""The yardstick of docs/results.md: the original model, not quantised, fine-tuned with LoRA in PyTorch on the same data.

Prints the loss (nats a predicted token) on the evaluation text before and after. Text is tokenised document by document
with the model's own tokenizer; a document becomes windows of the sequence length, each window's first token is not predicted
in evaluation. Needs torch, transformers; they are no part of walsh.

  python3 tools/lora_reference.py --model DIR --train FILE --eval FILE --steps 100 --rank 8
"""

import argparse
import json
import math
import random

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast


def documents(path):
    """The documents of a .txt file (a line <|endoftext|> ends one) or of {text} rows."""
    text = open(path, encoding="utf-8").read()
    if path.endswith(".jsonl"):
        return [json.loads(line)["text"] for line in text.splitlines() if line.strip()]
    return [part.strip("\n") for part in text.split("<|endoftext|>\n") if part.strip()]


def windows(texts, tokenizer, eos, length):
    for text in texts:
        ids = tokenizer.encode(text) + [eos]  # begins with what the tokenizer itself puts there
        for first in range(0, len(ids), length):
            piece = ids[first : first + length]
            if len(piece) > 1:
                yield piece


class Lora(torch.nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear = linear
        self.scale = alpha / rank
        self.a = torch.nn.Parameter(torch.randn(rank, linear.in_features) / math.sqrt(linear.in_features))
        self.b = torch.nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x):
        return self.linear(x) + self.scale * (x @ self.a.T) @ self.b.T


def batch_loss(model, pieces):
    longest = max(map(len, pieces))
    ids = torch.zeros(len(pieces), longest, dtype=torch.long)
    labels = torch.full((len(pieces), longest), -100)
    for row, piece in enumerate(pieces):
        ids[row, : len(piece)] = torch.tensor(piece)
        labels[row, : len(piece)] = torch.tensor(piece)
    logits = model(ids, attention_mask=(labels >= 0).long()).logits[:, :-1]
    targets = labels[:, 1:]
    count = int((targets >= 0).sum())
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum"), count


def evaluate(model, pieces):
    total, count = 0.0, 0
    with torch.no_grad():
        for first in range(0, len(pieces), 8):
            loss, tokens = batch_loss(model, pieces[first : first + 8])
            total, count = total + float(loss), count + tokens
    return total / count, count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--eval", required=True)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--sequence-length", type=int, default=512)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    random.seed(args.seed)
    torch.manual_seed(args.seed)

    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32, attn_implementation="eager")
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{args.model}/tokenizer.json")
    eos = tokenizer.convert_tokens_to_ids(json.load(open(f"{args.model}/tokenizer_config.json"))["eos_token"])
    train = list(windows(documents(args.train), tokenizer, eos, args.sequence_length))
    held_out = list(windows(documents(args.eval), tokenizer, eos, args.sequence_length))

    before, count = evaluate(model, held_out)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    trained = []
    for layer in model.model.layers:
        for part, names in ((layer.self_attn, "q_proj k_proj v_proj o_proj"), (layer.mlp, "gate_proj up_proj down_proj")):
            for name in names.split():
                adapter = Lora(getattr(part, name), args.rank, 2 * args.rank)
                setattr(part, name, adapter)
                trained += [adapter.a, adapter.b]
    optimizer = torch.optim.AdamW(trained, lr=args.learning_rate, weight_decay=0.0)
    warmup = max(1, args.steps // 20)
    for step in range(args.steps):
        progress = max(0, step - warmup) / max(1, args.steps - warmup)
        rate = args.learning_rate * min((step + 1) / warmup, 0.5 * (1 + math.cos(math.pi * progress)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss, tokens = batch_loss(model, random.sample(train, args.batch_size))
        optimizer.zero_grad()
        (loss / tokens).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
    after, _ = evaluate(model, held_out)
    print(json.dumps({"eval_tokens": count, "loss_before": before, "loss_after": after,
                      "trained_parameters": sum(p.numel() for p in trained)}))


if __name__ == "__main__":
    main()
