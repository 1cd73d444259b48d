#!/usr/bin/env python3
"""check_tensorboard.py TEST_FORMAT: TensorBoard's own reader must find what the event writer's test wrote."""
import os
import subprocess
import sys
import tempfile

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    print("skipped: tensorboard is not installed")
    sys.exit(77)

with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.argv[1], "--gtest_brief=1", "--gtest_filter=TensorBoard.FileStartsWithItsVersion"], check=True,
                   env=dict(os.environ, MGD_KEEP_EVENTS=folder))
    events = EventAccumulator(folder)
    events.Reload()
    got = [(e.step, e.value, e.wall_time) for e in events.Scalars("train/loss")]
expected = [(10 * i, 0.5 * i, 1.5e9 + i) for i in range(3)]
if got != expected or events.file_version != 2.0:
    sys.exit(f"got {got}, version {events.file_version}; expected {expected}, version 2")
print("TensorBoard reads the events")
