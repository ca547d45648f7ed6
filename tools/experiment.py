"""What the scripts of tables share: commands of walsh whose JSON is kept, so that a table continues where it stopped."""
import json
import math
import pathlib
import subprocess
import sys
import time


def walsh(binary, out, name, *arguments):
    """Runs `walsh ARGUMENTS --json` once: the JSON is kept in OUT/NAME.json with the seconds that it took."""
    kept = pathlib.Path(out) / f"{name}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    kept.parent.mkdir(parents=True, exist_ok=True)
    command = [str(binary), *map(str, arguments), "--json"]
    print("+", *command, file=sys.stderr, flush=True)
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{name}: walsh ended with status {done.returncode}")
    result = json.loads(done.stdout.strip().splitlines()[-1])
    result["wall_seconds"] = time.monotonic() - began
    partial = kept.with_suffix(".partial")
    partial.write_text(json.dumps(result))
    partial.rename(kept)
    return result


def geometric_mean(values):
    values = [v for v in values if v > 0]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def mean_and_spread(values):
    """Mean, and the standard deviation of a sample where there are several."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return f"{mean:.4f}"
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return f"{mean:.4f} ± {spread:.4f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)
