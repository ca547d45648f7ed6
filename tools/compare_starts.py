#!/usr/bin/env python3
"""Starts of QWHA compared at the same density: the error of the layers' outputs that each leaves, and with --steps the loss
after the same fine-tuning, as Markdown tables. Results are kept in --out; what was stopped continues. Examples:

    tools/compare_starts.py --model smollm2 --data train.txt --out errors --bits 4 --density 0.04 0.08
    tools/compare_starts.py --model models/walsh-tiny --data models/walsh-tiny/data/task --out trained --bits 2 \\
        --density 0.06 --steps 45 --seeds 0 1 2 --learning-rate 1e-3
"""
import argparse
import json
import pathlib

from experiment import geometric_mean, mean_and_spread, table, walsh

# The published starts take the base as it is; those at the end choose its codes too.
STARTS = {
    "random, zero": ["select=random", "init=zero", "recode=0"],
    "random": ["select=random", "recode=0"],
    "magnitude": ["select=magnitude", "budget_norm=magnitude", "floor=0", "recode=0"],
    "AdaAlloc, values as they are": ["select=magnitude", "budget_norm=activation", "refine=off", "recode=0"],
    "AdaAlloc": ["select=magnitude", "budget_norm=activation", "recode=0"],
    "AdaAlloc, weight budgets": ["select=magnitude", "recode=0"],
    "published code": ["select=gram_diag", "recode=0"],
    "omp4": ["select=omp4", "recode=0"],
    "omp, activation budgets": ["select=omp", "budget_norm=activation", "recode=0"],
    "omp": ["select=omp", "recode=0"],
    "ols": ["select=ols", "recode=0"],
    "ols, 4 rows share places": ["block_rows=4", "recode=0"],
    "ols, 16 rows share places": ["block_rows=16", "recode=0"],
    "AdaAlloc, codes too": ["select=magnitude", "budget_norm=activation", "recode=4"],
    "ols, codes too": ["recode=4"],
}
PROJECTIONS = ["q", "k", "v", "o", "gate", "up", "down"]


def errors_of(run):
    """Of every projection, and of all: the geometric mean over layers of the output error's share that is left."""
    layers = json.loads((run / "layers.json").read_text())
    left = {}
    for layer in layers:
        kind = layer["name"].rsplit(".", 1)[1].removesuffix("_proj")
        left.setdefault(kind, []).append(layer["error"] / layer["error_before"])
    means = {kind: geometric_mean(values) for kind, values in left.items()}
    means["all"] = geometric_mean([value for values in left.values() for value in values])
    return means


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--walsh", default="build/release/walsh")
    arguments.add_argument("--model", required=True, help="folder of an unquantised model")
    arguments.add_argument("--data", required=True)
    arguments.add_argument("--eval-data", help="for runs with steps; default: the data folder's valid split")
    arguments.add_argument("--calibration", help="text; default: the data")
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--starts", nargs="+", default=list(STARTS), choices=list(STARTS))
    arguments.add_argument("--bits", type=int, nargs="+", default=[2])
    arguments.add_argument("--density", type=float, nargs="+", default=[0.06])
    arguments.add_argument("--group-size", type=int, default=64)
    arguments.add_argument("--quantizer", default="rtn")
    arguments.add_argument("--steps", type=int, default=0, help="0: the start alone")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments.add_argument("--batch-size", type=int, default=2)
    arguments.add_argument("--sequence-length", type=int, default=256)
    arguments.add_argument("--learning-rate", type=float, default=2e-4)
    arguments.add_argument("--calibration-sequences", type=int, default=16)
    arguments.add_argument("--calibration-length", type=int, default=256)
    arguments.add_argument("--save-every", type=int, default=5, help="steps; what a run that is stopped loses")
    a = arguments.parse_args()
    out = pathlib.Path(a.out)

    for bits in a.bits:
        for density in a.density:
            rows = []
            for start in a.starts:
                losses, errors = [], []
                for seed in a.seeds:
                    name = f"{bits}-{density}-{start.replace(', ', '_').replace(' ', '-')}-{seed}"
                    run = out / name
                    command = ["train", "--model", a.model, "--data", a.data, "--out", run, "--method", "qwha",
                               "--bits", bits, "--group-size", a.group_size, "--quantizer", a.quantizer,
                               "--set", f"qwha.density={density}"]
                    for setting in STARTS[start]:
                        command += ["--set", f"qwha.{setting}"]
                    command += ["--steps", max(a.steps, 1), "--batch-size", a.batch_size if a.steps else 1,
                                "--sequence-length", a.sequence_length if a.steps else 16,
                                "--learning-rate", a.learning_rate, "--warmup", 0.05, "--weight-decay", 0,
                                "--calibration-sequences", a.calibration_sequences, "--calibration-length",
                                a.calibration_length, "--save-every", a.save_every, "--seed", seed]
                    if (run / "config.yaml").exists():
                        command.append("--resume")
                    if a.calibration:
                        command += ["--calibration", a.calibration]
                    if a.eval_data and a.steps:
                        command += ["--eval-data", a.eval_data]
                    result = walsh(a.walsh, out, name, *command)
                    errors.append(errors_of(run))
                    if a.steps:
                        losses.append(result["eval_loss"])
                row = [start] + [f"{errors[0][kind]:.3f}" for kind in PROJECTIONS] + [f"{errors[0]['all']:.3f}"]
                rows.append(row + ([mean_and_spread(losses)] if a.steps else []))
            print(f"\n{bits} bits, density {density}: share of the output error left\n")
            print(table(["start", *PROJECTIONS, "all"] + (["loss after training"] if a.steps else []), rows),
                  flush=True)


if __name__ == "__main__":
    main()
