#!/usr/bin/env python3
"""What `mgd inspect` says of a folder with the weights of timm or torchvision: parameters and multiply-accumulates against a
count by hooks, for every architecture at its usual size.

Usage: inspect_counts.py MGD [ARCHITECTURE ...]. MGD is the built program. Needs timm, torchvision and safetensors.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
from architectures import ARCHITECTURES, create  # noqa: E402
from make_architectures import count_macs  # noqa: E402


def inspected(mgd, name, size, model):
    config = {"architecture": name, "num_classes": 1000, "pretrained_cfg": {"input_size": [3, size, size], "num_classes": 1000}}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(config))
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, Path(folder, "model.safetensors"),
                  metadata={"format": "pt"})
        run = subprocess.run([mgd, "inspect", folder, "--json"], capture_output=True, text=True)
    if run.returncode != 0:
        return run.stderr.strip()
    said = json.loads(run.stdout)
    return said["parameters"], said["macs"]


def main():
    mgd, names = sys.argv[1], sys.argv[2:] or list(ARCHITECTURES)
    failed = 0
    for name in names:
        size = ARCHITECTURES[name]["size"]
        model = create(name, 1000, 3)
        expected = (sum(p.numel() for p in model.parameters()), count_macs(model, size, size))
        said = inspected(mgd, name, size, model)
        failed += said != expected
        print(name, *expected, "agrees" if said == expected else f"FAILED: {said}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
