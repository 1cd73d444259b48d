"""What happens when things go wrong: signals, killed processes, full disks, a second process. Standard library only.

    python3 tests/e2e/faults_test.py build/release/mgd
"""

import json
import os
import resource
import signal
import struct
import subprocess
import time
import unittest

from harness import LOSSES, MGD, OTHER_TORCH, WithFolder, mgd, newest, rows, write_recipe


class Faults(WithFolder):
    def start(self, *args, **env):
        return subprocess.Popen([MGD, *map(str, args)], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for_step(self, run, step, process):
        """Until metrics.jsonl holds `step`, so that a signal meets a running training."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if any(row["step"] >= step for row in rows(run)):
                    return
            except (FileNotFoundError, json.JSONDecodeError):
                pass
            if process.poll() is not None:
                raise AssertionError(f"ended early: {process.communicate()}")
            time.sleep(0.005)
        raise AssertionError("no progress")

    def final_files(self, run):
        names = ["checkpoints/" + newest(run).name + "/" + n for n in ("trained.safetensors", "optimizer.safetensors", "ema.safetensors")]
        return {n: (run / n).read_bytes() for n in names + ["student/model.safetensors"]}

    def test_kill_9_and_resume_is_byte_identical(self):
        """faults.md row 6: straight through against killed in mid-epoch and resumed."""
        for precision in ("fp32", "bf16"):
            for threads in (0, 2, 4):
                recipe = f"r-{precision}-{threads}.yaml"
                write_recipe(self.folder, recipe, "teacher: {path: teacher/model}\n", LOSSES, threads, precision)
                whole, parts = self.folder / f"whole-{precision}-{threads}", self.folder / f"parts-{precision}-{threads}"
                self.assertEqual(mgd("distill", recipe, "--run-dir", whole, cwd=self.folder).returncode, 0)
                process = self.start("distill", recipe, "--run-dir", parts)
                self.wait_for_step(parts, 17, process)
                process.kill()
                process.communicate()
                done = mgd("distill", recipe, "--run-dir", parts, "--resume", cwd=self.folder)
                self.expect(done, 0, "resumed from")
                self.assertEqual(self.final_files(parts), self.final_files(whole), f"{precision}, {threads} loader threads")
                self.assertEqual(rows(parts), rows(whole))
                self.assertIsNotNone(json.loads((parts / "summary.json").read_text())["resumed_from"])

    def test_a_run_that_learns_nothing_says_so(self):
        """All of the student's map is hidden: the block of the loss learns, the student does not."""
        write_recipe(self.folder, "idle.yaml", "teacher: {path: teacher/model}\n", "[{name: mgd, mask_ratio: 1}]")
        done = mgd("distill", "idle.yaml", "--run-dir", "idle", "train.max_steps=3", cwd=self.folder)
        self.expect(done, 0, "losses (mgd): the gradient is exactly zero at every parameter of the student in the first 3 steps")
        self.assertIn("the gradient is exactly zero", (self.folder / "idle/report.html").read_text())
        done = mgd("distill", "idle.yaml", "--run-dir", "none", "losses.0.weight=0", cwd=self.folder)
        self.expect(done, 2, "losses: every loss has the weight 0")
        self.assertFalse((self.folder / "none").exists() and any((self.folder / "none").rglob("*.safetensors")))

    def cached(self, run, *options, cache="t.cache", code=0):
        write_recipe(self.folder, "cached.yaml", "teacher: {path: teacher/model}\n", LOSSES)
        done = mgd("distill", "cached.yaml", "data.augment=[crop: 1, flip]", "data.views=2", f"train.teacher_cache={cache}",
                   "--run-dir", run, *options, cwd=self.folder)
        self.expect(done, code)
        return done

    def student_of(self, run):
        return (self.folder / run / "student/model.safetensors").read_bytes()

    def floats_of(self, run):
        """Every value of the student's float tensors, in the order of their names."""
        data = self.student_of(run)
        start = 8 + struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:start])
        values = []
        for name in sorted(header):
            if name != "__metadata__" and header[name]["dtype"] == "F32":
                begin, end = header[name]["data_offsets"]
                values.extend(struct.unpack(f"<{(end - begin) // 4}f", data[start + begin:start + end]))
        return values

    def test_kill_9_while_the_teacher_cache_is_built(self):
        """Killed in the first and in the second view, resumed, against straight through and against no cache at all."""
        self.cached("cache-none", "--no-cache")
        self.assertNotIn("teacher_cache", json.loads((self.folder / "cache-none/summary.json").read_text()))
        for name, extra in (("fp32", ()), ("int8", ("train.teacher_cache={path: i.cache, features: int8, top_k: 2}",))):
            whole, parts = f"cache-{name}", f"cache-{name}-parts"
            self.cached(whole, *extra, cache=f"{name}.cache")
            (self.folder / f"{name if name == 'fp32' else 'i'}.cache").unlink()
            for step, resume in ((9, ()), (17, ("--resume",))):  # of 12 in each view
                process = self.start("distill", "cached.yaml", "data.augment=[crop: 1, flip]", "data.views=2",
                                     f"train.teacher_cache={name}.cache", "--run-dir", parts, *extra, *resume)
                self.wait_for_step(self.folder / parts, step, process)
                process.kill()
                process.communicate()
            self.cached(parts, *extra, "--resume", cache=f"{name}.cache")
            self.assertEqual(self.student_of(parts), self.student_of(whole), name)
        # On processors with narrow vectors the last bits of a picture's answer depend on its place in the batch, which the
        # cache fixes and a live teacher changes from epoch to epoch.
        cached, live = self.floats_of("cache-fp32"), self.floats_of("cache-none")
        self.assertEqual(len(cached), len(live))
        self.assertLess(max(abs(a - b) for a, b in zip(cached, live)), 1e-3)

    def test_a_complete_teacher_cache_replaces_the_teacher(self):
        cache = self.folder / "c.cache"
        first = self.cached("complete-1", cache="c.cache")
        self.assertRegex(first.stderr, r"teacher cache .*c.cache: [0-9.]+ [KM]iB, 192 samples x 2 views, fp32 features, all logits; 0 of 384")
        second = self.cached("complete-2", cache="c.cache")
        self.expect(second, 0, "; complete", "not loaded, the cache is complete")
        summaries = [json.loads((self.folder / f"complete-{i}/summary.json").read_text()) for i in (1, 2)]
        # A latency of another run, under another load, is not this run's.
        self.assertGreater(summaries[0]["teacher"].pop("latency_ms"), 0)
        self.assertIsNone(summaries[1]["teacher"].pop("latency_ms"))
        self.assertEqual(summaries[0]["teacher"], summaries[1]["teacher"])
        self.assertEqual(summaries[1]["teacher_cache"]["misses"], 0)
        self.assertFalse(summaries[1]["teacher_cache"]["teacher_loaded"])
        self.assertEqual(self.student_of("complete-2"), self.student_of("complete-1"))
        self.assertIn("The teacher was not loaded", (self.folder / "complete-2/report.html").read_text())

        with open(cache, "r+b") as file:  # a flipped bit
            file.seek(-100, os.SEEK_END)
            byte = file.read(1)[0]
            file.seek(-100, os.SEEK_END)
            file.write(bytes([byte ^ 1]))
        self.expect(self.cached("complete-3", cache="c.cache"), 0, "c.cache: 1 records damaged", "not loaded")
        self.assertEqual(self.student_of("complete-3"), self.student_of("complete-1"))

        size = cache.stat().st_size
        os.truncate(cache, size // 2)
        self.expect(self.cached("complete-4", cache="c.cache"), 0, f"cut short: {size // 2} of {size} bytes")
        self.assertEqual(self.student_of("complete-4"), self.student_of("complete-1"))

        other = self.cached("complete-5", "teacher.path=complete-1/student", cache="c.cache", code=2)
        self.assertRegex(other.stderr, r"teacher: was cifar_resnet8, weights [0-9a-f]{64}, is cifar_resnet8, weights [0-9a-f]{64}\n")
        self.expect(self.cached("complete-5", "data.augment=[flip]", cache="c.cache", code=2), 2, "augment: was")
        self.expect(self.cached("complete-5", "data.per_class=50", cache="c.cache", code=2), 2, "data: was", "samples: was 192")
        self.expect(self.cached("complete-5", "train.teacher_cache={path: d.cache, limit_mb: 1}", "data.views=20", code=2), 2,
                    "MiB needed for 192 samples x 20 views", "limit_mb allows 1.0 MiB", "bf16", "int8", "data.views")

    def test_a_disk_too_small_for_the_teacher_cache(self):
        """faults.md row 2, on a volume of 1 MiB."""
        if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0:
            self.skipTest("no user namespaces here")
        write_recipe(self.folder, "cached.yaml", "teacher: {path: teacher/model}\n", LOSSES)
        (self.folder / "small").mkdir()
        script = 'mount -t tmpfs -o size=1m tmpfs small && "$@"; code=$?; ls -A small; exit $code'
        done = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", MGD, "distill", "cached.yaml",
                               "data.augment=[flip]", "data.views=20", "train.teacher_cache=small/t.cache", "--run-dir",
                               "small-disk"],
                              cwd=self.folder, capture_output=True, text=True, timeout=120)
        self.expect(done, 74, "small/t.cache: ", " bytes needed, ", " free: disk full")
        self.assertEqual(done.stdout, "", "nothing is left there")

    def test_same_seed_same_student(self):
        write_recipe(self.folder, "same.yaml", threads=2)
        for name in ("same-a", "same-b"):
            self.assertEqual(mgd("train", "same.yaml", "--run-dir", name, cwd=self.folder).returncode, 0)
        self.assertEqual((self.folder / "same-a/model/model.safetensors").read_bytes(),
                         (self.folder / "same-b/model/model.safetensors").read_bytes())

    def stopped_by(self, sig, code, name):
        process = self.start("train", "teacher.yaml", "--run-dir", name, "train.epochs=2000")
        self.wait_for_step(self.folder / name, 3, process)
        process.send_signal(sig)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, code, err)
        self.assertIn("good checkpoint", err)
        done = mgd("train", "--resume", "--run-dir", name, "train.epochs=2000", "train.max_steps=1", cwd=self.folder)
        self.expect(done, 0, "resumed from")

    def test_sigterm_saves_and_ends_with_143(self):
        self.stopped_by(signal.SIGTERM, 143, "term")

    def test_sigint_saves_and_ends_with_130(self):
        self.stopped_by(signal.SIGINT, 130, "int")

    def test_sigterm_at_any_moment(self):
        """In mid-step, mid-validation, mid-save: a checkpoint every step and an evaluation every epoch of 12 steps."""
        write_recipe(self.folder, "busy.yaml")
        for i in range(6):
            name = f"busy-{i}"
            process = self.start("train", "busy.yaml", "--run-dir", name, "train.epochs=2000", "train.checkpoint_every=1")
            self.wait_for_step(self.folder / name, 2, process)
            time.sleep(0.037 * i)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 143, err)
            self.assertFalse(list((self.folder / name / "checkpoints").glob(".tmp*")), "nothing half-written is left")
            done = mgd("train", "busy.yaml", "--resume", "--strict", "--run-dir", name, "train.epochs=2000", "train.max_steps=1", cwd=self.folder)
            self.expect(done, 0, "resumed from")

    def test_sigint_twice_ends_at_once_with_the_last_checkpoint_good(self):
        process = self.start("train", "teacher.yaml", "--run-dir", "int2", "train.epochs=2000")
        self.wait_for_step(self.folder / "int2", 3, process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        done = mgd("train", "--resume", "--run-dir", "int2", "train.epochs=2000", "train.max_steps=1", cwd=self.folder)
        self.expect(done, 0, "resumed from")

    def test_a_reader_that_leaves_is_no_crash(self):
        """SIGPIPE: the reader of stdout is gone when the result comes."""
        read, write = os.pipe()
        process = subprocess.Popen([MGD, "train", "teacher.yaml", "--run-dir", "pipe", "--json"], cwd=self.folder, stdout=write,
                                   stderr=subprocess.PIPE)
        os.close(write)
        os.close(read)
        process.communicate(timeout=60)
        self.assertIn(process.returncode, (0, 74, -signal.SIGPIPE))
        self.assertTrue((self.folder / "pipe/summary.json").exists())

    def test_sigusr1_saves_and_goes_on(self):
        process = self.start("train", "teacher.yaml", "--run-dir", "usr1", "train.epochs=2000", "train.checkpoint_every=100000")
        self.wait_for_step(self.folder / "usr1", 3, process)
        before = newest(self.folder / "usr1")
        process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 30
        while newest(self.folder / "usr1") == before and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertNotEqual(newest(self.folder / "usr1"), before)
        self.assertIsNone(process.poll())
        process.kill()
        process.communicate()

    def test_two_processes_one_folder(self):
        process = self.start("train", "teacher.yaml", "--run-dir", "twice", "train.epochs=2000")
        self.wait_for_step(self.folder / "twice", 2, process)
        done = mgd("train", "teacher.yaml", "--run-dir", "twice", "--overwrite", cwd=self.folder)
        self.expect(done, 73, f"pid {process.pid}")
        process.kill()
        process.communicate()

    def test_divergence_ends_with_76(self):
        done = mgd("train", "teacher.yaml", "--run-dir", "diverged", "train.lr=1e30", cwd=self.folder)
        self.expect(done, 76, "rolled back", "train.lr")

    def test_a_folder_that_cannot_be_written_is_found_first(self):
        (self.folder / "file").write_text("")
        done = mgd("train", "teacher.yaml", "--run-dir", "file/run", cwd=self.folder)
        self.expect(done, 73, "file/run")

    def test_another_torch_than_at_build_time_is_refused(self):
        """faults.md row 29."""
        other = dict(os.environ, LD_PRELOAD=str(OTHER_TORCH))
        built = json.loads(mgd("doctor", "--json", cwd=self.folder).stdout)["torch_built"]
        for args in (("eval", "teacher/model", "--data", "toy.csv"), ("train", "teacher.yaml", "--run-dir", "other"), ("doctor",)):
            done = mgd(*args, cwd=self.folder, env=other)
            self.assertEqual(done.returncode, 78, done.stdout + done.stderr)
            told = done.stdout if args == ("doctor",) else done.stderr
            self.assertIn(f"built with {built} and has loaded 1.13.1", told)
        self.assertFalse((self.folder / "other").exists())

    def test_out_of_memory_ends_with_71(self):
        """faults.md row 13: the forward pass of a batch does not fit, before and after good steps."""
        run = self.folder / "memory"
        big = ("train", "teacher.yaml", "--run-dir", run, "data.image_size=96", "train.batch_size=120", "train.schedule=constant",
               "train.check_memory=false")
        self.expect(mgd(*big, "train.max_steps=1", cwd=self.folder), 0)
        # What the program needs to start differs from machine to machine: the limit goes up until a step begins and fails.
        # Within a few MiB of some limits oneDNN crashes instead, for want of a check of its own: the next limit then.
        for mib in range(512, 4096, 64):
            limit = mib << 20
            done = mgd(*big, "--resume", "train.max_steps=3", cwd=self.folder,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
            if done.returncode == 0 or ("resumed from" in done.stderr and done.returncode != -signal.SIGSEGV):
                break
        self.expect(done, 71, "resumed from", "bytes were requested", f"{mib} allowed", "train.batch_size", "checkpoints are safe")
        self.expect(mgd(*big, "--resume", "--strict", "train.max_steps=3", cwd=self.folder), 0, "resumed from")


if __name__ == "__main__":
    unittest.main(verbosity=1)
