#!/usr/bin/env python3
"""The same training step of the same model's shape, in walsh and in PyTorch, one after another on one machine: seconds,
tokens a second and memory, as a Markdown table. Random weights and tokens. PyTorch runs LoRA and QLoRA of PEFT where those are
installed, and QWHA computed the published code's way: a dense weight plus the transformed sparse matrix, by autograd. Example:

    tools/compare_step.py --model models/SmolLM2-135M --batch-size 2 --sequence-length 256
    tools/compare_step.py --model models/Llama-3.1-8B --batch-size 16 --sequence-length 512 --device cuda
"""
import argparse
import gc
import importlib.util
import json
import statistics
import subprocess
import time

import torch
from experiment import table

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SCALE = 4000  # of QWHA's stored values


def is_prime(q):
    return q > 1 and all(q % d for d in range(2, int(q**0.5) + 1))


def base_matrix(order):
    """A Hadamard matrix of that order by Paley's two constructions, or None."""
    if order == 1:
        return torch.ones(1, 1)
    one, two = order - 1, order // 2 - 1
    if is_prime(one) and one % 4 == 3:
        q, sign = one, -1
    elif is_prime(two) and two % 4 == 1:
        q, sign = two, 1
    else:
        return None
    squares = {i * i % q for i in range(1, q)}
    s = torch.zeros(q + 1, q + 1)
    s[0, 1:], s[1:, 0] = sign, 1
    for i in range(q):
        for j in range(q):
            if i != j:
                s[1 + i, 1 + j] = 1 if (i - j) % q in squares else -1
    eye = torch.eye(q + 1)
    return s + eye if sign < 0 else torch.cat([torch.cat([s + eye, s - eye], 1), torch.cat([s - eye, -s - eye], 1)])


def base_of(width):
    """The smallest order K of a base with width = K · 2^e, and its matrix."""
    order = width // (width & -width)
    while width % order == 0 and order <= 1024:
        base = base_matrix(order)
        if base is not None:
            return base
        order *= 2
    raise SystemExit(f"no Hadamard base for a width of {width}")


def transform(x, base):
    """x · H_rᵀ over the last axis, not normalised: butterflies over the fast index, then the base over the slow one."""
    rows, width, order = x.shape[0], x.shape[1], base.shape[0]
    fast, half = width // order, 1
    while half < fast:
        low, high = x.view(rows, -1, 2, half).unbind(2)
        x = torch.stack([low + high, low - high], 2).reshape(rows, width)
        half *= 2
    return x if order == 1 else (base.T.to(x.dtype) @ x.view(rows, order, fast)).reshape(rows, width)


def add_qwha(model, rank):
    """The published code's forward: y = x · (W + κ · F · H_rᵀ)ᵀ, F dense from its coefficients."""
    class Layer(torch.nn.Module):
        def __init__(self, linear):
            super().__init__()
            m, n = linear.weight.shape
            self.linear, self.base = linear, base_of(n).to(linear.weight.device)
            count = min(rank * (m + n), m * n)
            self.places = torch.randperm(m * n, device=linear.weight.device)[:count]
            self.values = torch.nn.Parameter(torch.zeros(count, device=linear.weight.device, dtype=linear.weight.dtype))
            self.kappa = SCALE / (n * m**0.5)

        def forward(self, x):
            weight = self.linear.weight
            f = torch.zeros(weight.numel(), device=x.device, dtype=weight.dtype).index_put((self.places,), self.values)
            delta = transform(f.view_as(weight), self.base)
            return torch.nn.functional.linear(x, weight + self.kappa * delta, self.linear.bias)

    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if name in PROJECTIONS:
                setattr(module, name, Layer(child))
    return model


def peft_lora(model, rank):
    from peft import LoraConfig, get_peft_model
    return get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=PROJECTIONS, task_type="CAUSAL_LM"))


def measure_torch(a, kind):
    from transformers import AutoConfig, AutoModelForCausalLM
    torch.manual_seed(0)
    dtype = torch.bfloat16 if a.device == "cuda" else torch.float32
    config = AutoConfig.from_pretrained(a.model)
    with torch.device(a.device):
        torch.set_default_dtype(dtype)
        model = AutoModelForCausalLM.from_config(config)
        torch.set_default_dtype(torch.float32)
    if kind == "QLoRA":
        import bitsandbytes
        for module in list(model.modules()):
            for name, child in list(module.named_children()):
                if name in PROJECTIONS:
                    packed = bitsandbytes.nn.Linear4bit(child.in_features, child.out_features, bias=child.bias is not None,
                                                        compute_dtype=dtype, quant_type="nf4")
                    packed.load_state_dict(child.state_dict())
                    setattr(module, name, packed.to(a.device))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model = add_qwha(model, a.rank) if kind.startswith("QWHA") else peft_lora(model, a.rank)
    if a.checkpointing:
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    ids = torch.randint(0, config.vocab_size, (a.batch_size, a.sequence_length), device=a.device)
    seconds = []
    for _ in range(a.steps + 2):
        began = time.monotonic()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        seconds.append(time.monotonic() - began)
    peak = torch.cuda.max_memory_allocated() if a.device == "cuda" else 0
    count = sum(p.numel() for p in trained)
    del model, optimizer, trained
    gc.collect()
    if a.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return {"seconds": statistics.median(seconds[2:]), "memory": peak, "trained": count}


def measure_walsh(a):
    command = [a.walsh, "bench", "step", "--json", "--model", a.model, "--method", ",".join(a.methods), "--batch-size",
               a.batch_size, "--sequence-length", a.sequence_length, "--bits", a.bits, "--rank", a.rank, "--steps", a.steps,
               "--checkpointing", "full" if a.checkpointing else "none"]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--walsh", default="build/release/walsh")
    arguments.add_argument("--model", required=True, help="folder with a config.json")
    arguments.add_argument("--methods", nargs="*", default=["frozen", "qwha", "lora", "peqa", "lr-qat", "l4q"])
    arguments.add_argument("--batch-size", type=int, default=1)
    arguments.add_argument("--sequence-length", type=int, default=512)
    arguments.add_argument("--bits", type=int, default=4)
    arguments.add_argument("--rank", type=int, default=64)
    arguments.add_argument("--steps", type=int, default=3, help="timed steps, after two that are not")
    arguments.add_argument("--checkpointing", action="store_true")
    arguments.add_argument("--torch", nargs="*", default=["qwha", "lora", "qlora"], choices=["qwha", "lora", "qlora"],
                           help="steps of PyTorch; LoRA and QLoRA where PEFT and bitsandbytes are installed")
    arguments.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="PyTorch's; walsh chooses its own")
    a = arguments.parse_args()
    tokens = a.batch_size * a.sequence_length
    ours = measure_walsh(a) if a.methods else {"results": [], "device": "no device"}
    rows = [[f"walsh {r['variant']}, {a.bits} bits", r["seconds"], r["memory_bytes"], r["trained_parameters"]]
            for r in ours["results"]]
    kinds = ["QWHA as published, 16 or 32 bits"] if "qwha" in a.torch else []
    if importlib.util.find_spec("peft") and "lora" in a.torch:
        kinds.append("LoRA (PEFT), 16 or 32 bits")
    if importlib.util.find_spec("peft") and importlib.util.find_spec("bitsandbytes") and a.device == "cuda" and "qlora" in a.torch:
        kinds.append("QLoRA")
    for kind in kinds:
        r = measure_torch(a, kind)
        rows.append([f"PyTorch {kind}", r["seconds"], r["memory"], r["trained"]])
    print(f"{a.model}, {a.batch_size} x {a.sequence_length} tokens; walsh on {ours['device']}, PyTorch on {a.device}\n")
    print(table(["step", "seconds", "tokens/s", "memory, GB", "trained"],
                [[name, f"{s:.3f}", f"{tokens / s:.1f}", f"{m / 1e9:.2f}" if m else "–", f"{n:,}"] for name, s, m, n in rows]))


if __name__ == "__main__":
    main()
