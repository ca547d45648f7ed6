#!/usr/bin/env python3
"""Compares the perplexity of a GGUF file in llama.cpp with walsh's on the same text, scored the same way.

    tools/check_llama_cpp.py FILE.gguf TEXT --llama-perplexity PATH [--context N] [--walsh PATH]

llama-perplexity cuts the text's tokens into windows of N and scores, in each, the predictions after its first half:
tokens N/2+1 … N−1. A causal model's loss there is the loss of whole windows less that of their first N/2+1 tokens, and
`walsh eval` gives both from rows of ids. The ids come from llama-tokenize, beside llama-perplexity. Where the file says
that a beginning token is added, llama.cpp puts it in place of every window's first token, and so do the rows here.

The text's tokens must be the same in both programs: counted by `walsh eval` on the text itself. Exit status 1 where the
perplexities differ by more than 1 %, or the counts do. Needs Python alone."""
import argparse
import ast
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile


def output_of(*command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace")
    if done.returncode != 0:
        sys.exit(f"{command[0]}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout, done.stderr


def evaluate(walsh, model, data, length):
    """Summed loss and number of predicted tokens."""
    out, _ = output_of(walsh, "eval", "--model", model, "--data", data, "--sequence-length", length, "--json",
                       "--quiet")
    result = json.loads(out.splitlines()[-1])
    return result["loss"] * result["tokens"], result["tokens"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--llama-perplexity", type=pathlib.Path, required=True)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--walsh", type=pathlib.Path, default=pathlib.Path("build/release/walsh"))
    args = parser.parse_args()
    n = args.context
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        # One document: separators are tokens to one program and not to the other.
        text = args.text.read_text().replace("<|endoftext|>\n", "").rstrip("\n")
        plain = folder / "text.txt"
        plain.write_text(text)

        out, _ = output_of(args.llama_perplexity.with_name("llama-tokenize"), "-m", args.model, "-f", plain, "--ids",
                           "--log-disable")
        ids = ast.literal_eval(out[out.index("["):].strip())
        _, predicted = evaluate(args.walsh, args.model, plain, n)
        # walsh ends the document with a token of its own and predicts nothing at the start of a window.
        counted = predicted + -(-(len(ids) + 1) // n) - 1
        print(f"tokens: {len(ids)} in llama.cpp, {counted} in walsh")

        out, err = output_of(args.llama_perplexity, "-m", args.model, "-f", plain, "-c", n, "-b", n, "--no-warmup",
                             "-t", 2)
        # Its running estimates, "[windows]perplexity,": the final line is sometimes lost when it exits.
        running = re.findall(r"\[(\d+)\]([0-9.]+)", out)
        if not running:
            sys.exit(f"llama-perplexity printed no estimate:\n{(out + err)[-2000:]}")
        scored, theirs = int(running[-1][0]), float(running[-1][1])
        adds_beginning = re.search(r"add_bos_token\s+bool\s+=\s+true", err) or re.search(r"add_bos = 1", err)
        beginning = re.search(r"BOS token\s*=\s*(\d+)", err)

        windows = [ids[i * n:(i + 1) * n] for i in range(scored)]
        if adds_beginning and beginning:
            windows = [[int(beginning.group(1))] + window[1:] for window in windows]
        loss, count = 0.0, 0
        for name, length, sign in (("whole", n, 1), ("half", n // 2 + 1, -1)):
            rows = folder / f"{name}.jsonl"
            rows.write_text("".join(json.dumps({"tokens": window[:length]}) + "\n" for window in windows))
            part, tokens = evaluate(args.walsh, args.model, rows, n)
            loss, count = loss + sign * part, count + sign * tokens
        ours = math.exp(loss / count)
    difference = ours / theirs - 1
    print(f"perplexity over {count} tokens in windows of {n}: llama.cpp {theirs:.4f}, walsh {ours:.4f}, "
          f"{100 * difference:+.3f} %")
    return 0 if abs(difference) <= 0.01 and counted == len(ids) else 1


if __name__ == "__main__":
    sys.exit(main())
