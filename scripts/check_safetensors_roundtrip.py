#!/usr/bin/env python3
"""check_safetensors_roundtrip.py TEST_IO: the reference library must find bit for bit what mgd wrote, and mgd must
write again, byte for byte, what the reference wrote."""
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import safetensors
    import safetensors.torch
    import torch
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

DTYPES = {"Bool": torch.bool, "Byte": torch.uint8, "Char": torch.int8, "Float8_e5m2": torch.float8_e5m2,
          "Float8_e4m3fn": torch.float8_e4m3fn, "Float8_e4m3fnuz": torch.float8_e4m3fnuz,
          "Float8_e5m2fnuz": torch.float8_e5m2fnuz, "Short": torch.int16, "UInt16": torch.uint16, "Half": torch.float16,
          "BFloat16": torch.bfloat16, "Int": torch.int32, "UInt32": torch.uint32, "Float": torch.float32,
          "ComplexFloat": torch.complex64, "Double": torch.float64, "Long": torch.int64, "UInt64": torch.uint64}


def sample(dtype):
    """As tests/io/weights_test.cpp makes them: (3, 2), bytes 0, 1, 2, ..."""
    data = torch.arange(6 * dtype.itemsize, dtype=torch.uint8)
    return (data % 3 == 1).reshape(3, 2) if dtype == torch.bool else data.view(dtype).reshape(3, 2)


def raw(tensor):
    return tensor.dtype, tuple(tensor.shape), tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


expected = {f"x.{name}": sample(dtype) for name, dtype in DTYPES.items()}
expected |= {"scalar": torch.tensor(1.5), "none": torch.zeros(0, 3), "täg": torch.ones(1)}

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    odd = {"": torch.ones(2, 2), 'quote " \\ \n \x1b \x7f é 😀': torch.zeros(1), "z" * 300: torch.zeros(0)}
    safetensors.torch.save_file(expected | odd, folder / "reference.safetensors", metadata={"format": "pt"})
    subprocess.run([sys.argv[1], "--gtest_brief=1", "--gtest_filter=Weights.EveryDtypeComesBackBitForBit"], check=True,
                   env=dict(os.environ, MGD_KEEP_SAFETENSORS=name))
    ours = safetensors.torch.load_file(folder / "ours.safetensors")
    with safetensors.safe_open(folder / "ours.safetensors", "pt") as file:
        metadata = file.metadata()
    again = (folder / "again.safetensors").read_bytes()
    reference = (folder / "reference.safetensors").read_bytes()

if ours.keys() != expected.keys():
    sys.exit(f"names differ: {sorted(ours.keys() ^ expected.keys())}")
for name, tensor in expected.items():
    if raw(ours[name]) != raw(tensor):
        sys.exit(f"{name}: got {ours[name]}, expected {tensor}")
if metadata != {"by": "test", "format": "pt"}:
    sys.exit(f"metadata: {metadata}")
if again != reference:
    sys.exit(f"not the reference's bytes:\n{again[:400]}\n{reference[:400]}")
print(f"{len(expected)} tensors agree with safetensors {safetensors.__version__} both ways")
