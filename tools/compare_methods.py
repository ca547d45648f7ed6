#!/usr/bin/env python3
"""Trains one model on the same tokens with every method at every width, as one Markdown table, which is printed and kept
in OUT/table.md after every run. Results are kept in --out; a run that was stopped is resumed. Example:

    tools/compare_methods.py --model models/walsh-tiny --data models/walsh-tiny/data/task --out build/methods --steps 100

qwha chooses the codes of its base with its adapter, from those rounded to nearest; qwha-kept leaves a base by --quantizer as it
is, lora and peqa stand on such a base too; lora starts with CLoQ and has as many parameters as qwha of the same
rank; l4q and lr-qat have grids of their own, rounded to nearest at first, and peqa-rtn is peqa from there. Rates are the
methods' defaults unless --rate says otherwise.

Columns: `loss` of the evaluation data at the end, nats a token; `trained`, parameters; `optimizer`, gradients and moments
as planned; `model`, bytes of what runs without walsh train: an exact GPTQ or GGUF export, or base and adapter; `peak` of
device memory; `step`, seconds."""
import argparse
import itertools
import json
import pathlib
import shutil
import statistics

from experiment import mean_and_spread, table, walsh

METHODS = {"qwha": ["--rank"], "qwha-kept": ["--quantizer", "--rank"], "lora": ["--quantizer", "--rank"], "peqa": ["--quantizer"],
           "peqa-rtn": [], "lr-qat": ["--rank"], "l4q": ["--rank"]}
CALIBRATED = ("qwha", "qwha-kept", "lora", "peqa")
EXPORTS = {"peqa": "gptq", "peqa-rtn": "gptq", "lr-qat": "gptq", "l4q": "gguf"}


def size_of(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def model_bytes(args, method, name, run):
    if method not in EXPORTS:
        return size_of(run / "base") + size_of(run / "adapter")
    export = args.out / f"{name}.{EXPORTS[method]}"
    written = walsh(args.walsh, args.out, f"{name}.export", "export", "--run", run, "--format", EXPORTS[method], "--out",
                    export, "--quiet")
    proof = walsh(args.walsh, args.out, f"{name}.verify", "verify", "--run", run, "--export", export, "--quiet")
    if not proof["exact"]:
        raise SystemExit(f"{export}: not exact: {proof}")
    if export.is_dir():
        shutil.rmtree(export)
    export.unlink(missing_ok=True)
    return written["bytes"]


def step_seconds(args, run, trained):
    if trained["tokens_per_second"] > 0:
        return args.batch_size * args.sequence_length / trained["tokens_per_second"]
    # A run that was resumed after its last step measured none.
    seconds = [json.loads(line)["seconds"] for line in (run / "metrics.jsonl").read_text().splitlines() if '"seconds"' in line]
    return statistics.median(b - a for a, b in itertools.pairwise(seconds))


def measure(args, method, bits, seed):
    name = f"{method}-{bits}-{seed}"
    run = args.out / name
    known = method.removesuffix("-rtn").removesuffix("-kept")
    shape = ["--model", args.model, "--method", known, "--bits", bits, "--group-size", args.group_size, "--batch-size",
             args.batch_size, "--sequence-length", args.sequence_length]
    if "--rank" in METHODS[method]:
        shape += ["--rank", args.rank]
    words = [*shape, "--data", args.data, "--out", run, "--seed", seed, "--steps", args.steps, "--save-every",
             args.save_every, "--keep", 1]
    if args.eval_data:
        words += ["--eval-data", args.eval_data]
    if "--quantizer" in METHODS[method]:
        words += ["--quantizer", args.quantizer]
    if method in CALIBRATED:
        words += ["--calibration-sequences", args.calibration_sequences, "--calibration-length", args.calibration_length]
    if method == "qwha-kept":
        words += ["--set", "qwha.recode=0"]
    if method == "lora":
        words += ["--set", "lora.init=cloq"]
    words += [word for option in args.set if option.startswith(known + ".") for word in ("--set", option)]
    if method in args.rates:
        words += ["--learning-rate", args.rates[method]]
    if (run / "config.yaml").exists():
        words.append("--resume")
    trained = walsh(args.walsh, args.out, name, "train", *words)
    plan = walsh(args.walsh, args.out, f"{name}.plan", "plan", *shape, "--quiet")
    return {"loss": trained["eval_loss"], "trained": trained["trained_parameters"],
            "optimizer": plan["optimizer_bytes"], "model": model_bytes(args, method, name, run),
            "peak": trained["peak_bytes"],
            "step": step_seconds(args, run, trained)}


def row(bits, method, results):
    mean = {key: sum(r[key] for r in results) / len(results) for key in results[0]}
    return [bits, method, mean_and_spread([r["loss"] for r in results]), f"{mean['trained']:.0f}",
            f"{mean['optimizer'] / 1e6:.3f}", f"{mean['model'] / 1e6:.2f}", f"{mean['peak'] / 1e6:.0f}",
            f"{mean['step']:.2f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--walsh", default="build/release/walsh")
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--eval-data", help="default: the data folder's valid split")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--bits", nargs="+", type=int, default=[4, 3, 2])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--sequence-length", type=int, default=256)
    parser.add_argument("--group-size", type=int, default=64)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--quantizer", default="gptq")
    parser.add_argument("--calibration-sequences", type=int, default=128)
    parser.add_argument("--calibration-length", type=int, default=2048)
    parser.add_argument("--rate", action="append", default=[], metavar="METHOD=RATE", help="a learning rate")
    parser.add_argument("--set", action="append", default=[], metavar="METHOD.KEY=VALUE", help="an option of a method")
    parser.add_argument("--save-every", type=int, default=25)
    args = parser.parse_args()
    args.rates = dict(rate.split("=", 1) for rate in args.rate)
    args.out.mkdir(parents=True, exist_ok=True)
    head = ["bits", "method", "loss", "trained", "optimizer, MB", "model, MB", "peak, MB", "step, s"]
    found, text = {}, ""
    for seed in args.seeds:
        for bits in args.bits:
            for method in args.methods:
                found.setdefault((bits, method), []).append(measure(args, method, bits, seed))
                text = table(head, [row(b, m, found[b, m]) for b in args.bits for m in args.methods if (b, m) in found])
                (args.out / "table.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
