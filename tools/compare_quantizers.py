#!/usr/bin/env python3
"""Perplexity and error of every quantiser at 4, 3 and 2 bits, as a Markdown table. Results are kept in --out; a run that
was stopped continues. Example:

    tools/compare_quantizers.py --model smollm2 --data train.txt --eval-data valid.txt --out quantizers
"""
import argparse
import pathlib
import shutil

from experiment import geometric_mean, table, walsh


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--walsh", default="build/release/walsh")
    arguments.add_argument("--model", required=True, help="folder of an unquantised model")
    arguments.add_argument("--data", required=True, help="calibration text")
    arguments.add_argument("--eval-data", required=True)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--bits", type=int, nargs="+", default=[4, 3, 2])
    arguments.add_argument("--quantizers", nargs="+", default=["rtn", "gptq", "magr-gptq"])
    arguments.add_argument("--group-size", type=int, default=64)
    arguments.add_argument("--calibration-sequences", type=int, default=64)
    arguments.add_argument("--calibration-length", type=int, default=256)
    arguments.add_argument("--sequence-length", type=int, default=256)
    a = arguments.parse_args()
    out = pathlib.Path(a.out)

    evaluation = ["--data", a.eval_data, "--sequence-length", a.sequence_length]
    original = walsh(a.walsh, out, "original", "eval", "--model", a.model, *evaluation)
    rows = [["original", "16", f"{original['loss']:.4f}", f"{original['perplexity']:.3f}", "", "", ""]]
    for bits in a.bits:
        for quantizer in a.quantizers:
            name = f"{quantizer}-{bits}"
            folder = out / name
            if folder.exists() and not (out / f"{name}.json").exists():
                shutil.rmtree(folder)
            text = ["--calibration", a.data, "--calibration-sequences", a.calibration_sequences,
                    "--calibration-length", a.calibration_length] if quantizer != "rtn" else []
            made = walsh(a.walsh, out, name, "quantize", "--model", a.model, "--out", folder, "--bits", bits,
                         "--group-size", a.group_size, "--quantizer", quantizer, *text)
            found = walsh(a.walsh, out, f"{name}-eval", "eval", "--model", folder, *evaluation)
            layers = made["layers"]
            outputs = [layer["output_error"] for layer in layers if layer.get("output_error", -1) > 0]
            rows.append([quantizer, f"{bits} ({made['bits_per_weight']:.2f})", f"{found['loss']:.4f}",
                         f"{found['perplexity']:.3f}", f"{geometric_mean([l['error'] for l in layers]):.4f}",
                         f"{geometric_mean(outputs):.4f}" if outputs else "–", f"{made['wall_seconds']:.0f}"])
    print(table(["quantiser", "bits (a weight)", "loss", "perplexity", "weights' error", "outputs' error",
                 "seconds"], rows))


if __name__ == "__main__":
    main()
