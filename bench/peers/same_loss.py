#!/usr/bin/env python3
"""Whether `mgd distill` with everything that makes it fast learns as plain PyTorch does: compare.py's recipe, several seeds.

The two sides draw other numbers, so a seed is a sample and not a pair. Prints the mean training loss of the last steps for each seed,
and mean and standard deviation of each side.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

import compare
from interleave import environment


def ours(args, seed, cache):
    with tempfile.TemporaryDirectory() as temp:
        Path(temp, "recipe.yaml").write_text(compare.recipe(args, cache, args.steps, seed=seed))
        subprocess.run([args.mgd, "distill", f"{temp}/recipe.yaml", "--run-dir", f"{temp}/run", "--quiet"], check=True,
                       env=environment("default", args.threads), stdout=subprocess.DEVNULL)
        rows = map(json.loads, Path(temp, "run/metrics.jsonl").read_text().splitlines())
        return [row["loss"] for row in rows if "loss" in row]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mgd", default="mgd", help="the program")
    parser.add_argument("--data", required=True, help="CIFAR-10 as a tar archive of train/CLASS/NAME.jpg")
    parser.add_argument("--teacher", required=True, help="cifar_resnet56, .safetensors")
    parser.add_argument("--student", type=int, default=8, choices=[8, 20], help="depth")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--last", type=int, default=50, help="steps whose loss counts")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--per-class", type=int, default=500)
    parser.add_argument("--views", type=int, default=8, help="of each picture in ours; PyTorch draws new ones in every epoch")
    parser.add_argument("--mask-ratio", type=float, default=0.15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--winograd", action="store_true", help="ours with train.winograd")
    parser.set_defaults(warmup=1)  # every step is logged
    args = parser.parse_args()
    sides = {"mgd": [], "PyTorch": []}
    with tempfile.TemporaryDirectory(prefix="mgd-cache-") as cache:
        for seed in range(1, args.seeds + 1):
            for name, losses in (("mgd", ours(args, seed, cache)), ("PyTorch", compare.run_peer("loop", "tuned", args, seed)["losses"])):
                sides[name].append(statistics.mean(losses[-args.last:]))
                print(f"seed {seed}: {name:<8}{sides[name][-1]:.4f}", flush=True)
    for name, losses in sides.items():
        print(f"{name:<8}{statistics.mean(losses):.4f} ± {statistics.stdev(losses):.4f}")


if __name__ == "__main__":
    main()
