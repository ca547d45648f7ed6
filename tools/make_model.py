#!/usr/bin/env python3
"""Trains the small model of models/ from nothing: a byte-level BPE tokenizer and a LLaMA decoder, on stories of make_text.py.

    python3 -m venv venv && venv/bin/pip install torch transformers tokenizers safetensors
    venv/bin/python tools/make_model.py --out models/walsh-tiny

Writes a Hugging Face folder (bf16 weights, tied embeddings), its data/ folder (make_text.py with seed 1), and prints the
perplexity of the rounded weights on text/test.txt beside that of a unigram model over the same tokens. Training draws
its stories from another seed than the shipped text and never from the buckets of valid, test or the task.
The same seed, PyTorch and thread count give the same weights on the same machine.
"""
import argparse
import collections
import json
import math
import pathlib
import subprocess
import sys
import time

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

import make_text

CONTEXT = 256
VOCABULARY = 1024
TEXT_SEED = 1000  # of the training stories; data/text is written with seed 1
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCABULARY,
    "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 6, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": CONTEXT, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "attention_bias": False, "mlp_bias": False, "attention_dropout": 0.0,
    "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.05, "use_cache": True,
    "torch_dtype": "bfloat16",
}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def make_tokenizer(texts, folder):
    """GPT-2's pre-tokeniser and bytes as the base alphabet; nothing is added to a text by itself."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[make_text.END], show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json",
               {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": make_text.END, "eos_token": make_text.END,
                "add_bos_token": False, "add_eos_token": False, "model_max_length": CONTEXT,
                "clean_up_tokenization_spaces": False})
    write_json(folder / "generation_config.json", {"bos_token_id": 0, "eos_token_id": 0, "max_new_tokens": 128})
    return tokenizer


def encode(tokenizer, texts):
    return [e.ids + [0] for e in tokenizer.encode_batch(texts)]


def rows_of(documents):
    """Rows of CONTEXT + 1 tokens; each starts at the start of a document, the last document of a row is cut."""
    rows, row = [], []
    for document in documents:
        row += document
        if len(row) > CONTEXT:
            rows.append(row[:CONTEXT + 1])
            row = []
    return torch.tensor(rows)


def token_losses(model, documents):
    """Nats of each predicted token; a document is one window (none is longer than the context)."""
    losses = []
    with torch.no_grad():
        for start in range(0, len(documents), 32):
            part = documents[start:start + 32]
            ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(d[:CONTEXT]) for d in part], batch_first=True)
            logits = model(input_ids=ids).logits.float()
            loss = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
            losses += [row[:len(d) - 1] for row, d in zip(loss, part)]
    return torch.cat(losses)


def unigram_perplexity(train, test):
    """Frequencies of the training tokens, each count plus one, on the tokens that the model predicts."""
    counts = collections.Counter(token for document in train for token in document)
    total = sum(counts.values()) + VOCABULARY
    losses = [-math.log((counts[token] + 1) / total) for document in test for token in document[1:]]
    return math.exp(sum(losses) / len(losses))


def save(model, folder):
    weights = {name: value.to(torch.bfloat16).contiguous() for name, value in model.state_dict().items()
               if name != "lm_head.weight"}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", CONFIG)


class Muon:
    """Muon: the momentum of a matrix, made nearly orthogonal by five Newton-Schulz steps, is its update; float32.

    Matrices of one shape go through the iteration as one batch. The width ratio scales updates of tall matrices.
    """

    def __init__(self, parameters, momentum=0.95, decay=0.01):
        shapes = collections.defaultdict(list)
        for p in parameters:
            shapes[p.shape].append(p)
        self.groups = [(ps, torch.zeros(len(ps), *shape)) for shape, ps in shapes.items()]
        self.momentum, self.decay = momentum, decay

    @torch.no_grad()
    def step(self, rate):
        for parameters, velocity in self.groups:
            gradient = torch.stack([p.grad for p in parameters])
            velocity.lerp_(gradient, 1 - self.momentum)
            x = gradient.lerp(velocity, self.momentum)
            tall = x.shape[1] > x.shape[2]
            x = x.mT if tall else x
            x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
            for _ in range(5):
                a = x @ x.mT
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
            x = x.mT if tall else x
            scale = max(1, x.shape[1] / x.shape[2]) ** 0.5
            for p, update in zip(parameters, x):
                p.mul_(1 - rate * self.decay).add_(update, alpha=-rate * scale)
                p.grad = None


def train(model, rows, steps, batch, rate, folder):
    """Muon for the matrices of the layers, AdamW (a fifth of its rate) for embedding and norms; cosine to zero."""
    inner = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    muon = Muon(inner)
    adam = torch.optim.AdamW([p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name],
                             betas=(0.9, 0.95), weight_decay=0.0)
    began, mean = time.time(), 7.0
    for step in range(steps):
        now = rate * min(1, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * step / steps))
        ids = rows[step * batch:(step + 1) * batch]
        logits = model(input_ids=ids[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        muon.step(now)
        adam.param_groups[0]["lr"] = now / 5
        adam.step()
        adam.zero_grad()
        mean += 0.05 * (loss.item() - mean)
        if (step + 1) % 25 == 0:
            print(f"step {step + 1}/{steps} loss {mean:.4f} rate {now:.2e} {time.time() - began:.0f} s", flush=True)
        if (step + 1) % 100 == 0:
            save(model, folder)


def main():
    parser = argparse.ArgumentParser(description="train the model in models/")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=2e-2)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    folder = arguments.out
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, str(pathlib.Path(make_text.__file__)), "--out", str(folder / "data")], check=True)

    stream = make_text.stories("text-train", TEXT_SEED)
    texts = [next(stream).text() for _ in range(20000)]
    tokenizer = make_tokenizer(texts, folder)
    documents = encode(tokenizer, texts)
    wanted = arguments.steps * arguments.batch
    while len(rows := rows_of(documents)) < wanted:
        documents += encode(tokenizer, [next(stream).text() for _ in range(20000)])
    test = encode(tokenizer, [d.strip("\n") for d in (folder / "data/text/test.txt").read_text().split(make_text.END) if d.strip()])
    longest = max(map(len, documents))
    print(f"{len(documents)} stories, {wanted * CONTEXT} tokens to train on, longest story {longest}", flush=True)

    model = LlamaForCausalLM(LlamaConfig(**CONFIG)).float()
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    train(model, rows, arguments.steps, arguments.batch, arguments.learning_rate, folder)
    save(model, folder)
    model = model.to(torch.bfloat16).float()
    losses = token_losses(model, test)
    print(f"text/test.txt: {len(test)} documents, {len(losses)} predicted tokens, perplexity {losses.mean().exp():.3f}, "
          f"unigram {unigram_perplexity(documents, test):.1f}")


if __name__ == "__main__":
    main()
