"""How the command ends when something is wrong with what it writes to, with its numbers or with its names, and how it
starts. Standard library only.

    python3 tests/e2e/ends_test.py build/release/mgd
"""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import unittest

from pictures import write_folders

from harness import LOSSES, MGD, WithFolder, cpu_seconds_of_children, mgd, newest, write_recipe

LONG = "n" * 300


class Streams(WithFolder):
    """A write that fails is told, wherever it can be; nothing ends for want of a listener."""

    def to(self, stdout, *args, **options):
        with open(stdout, "w") as out:
            done = subprocess.run([MGD, *args], cwd=self.folder, stdout=out, stderr=subprocess.PIPE, text=True, timeout=120, **options)
        done.stdout = ""
        return done

    def test_a_full_disk_under_stdout_ends_with_74(self):
        for args in (["--help"], ["help", "kd"], ["train", "--help"], ["--version"], ["config", "teacher.yaml"], ["doctor"],
                     ["inspect", "cifar_resnet8", "--json"], ["eval", "teacher/model", "--data", "toy.csv", "--json"],
                     ["bench", "--list"], ["train", "teacher.yaml", "--run-dir", "full", "--json"]):
            done = self.to("/dev/full", *args)
            self.expect(done, 74, "standard output", "No space left on device")
        self.assertTrue((self.folder / "full/summary.json").exists(), "what was trained is kept")

    def test_stdout_fails_in_the_middle_of_a_long_stream(self):
        done = self.to(self.folder / "short", "config", "--schema",
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)))
        self.expect(done, 74, "standard output", "File too large")

    def test_a_reader_that_leaves_is_a_quiet_end(self):
        for disposition in (signal.SIG_DFL, signal.SIG_IGN):  # some shells and supervisors ignore SIGPIPE
            read, write = os.pipe()
            os.close(read)
            process = subprocess.Popen([MGD, "config", "--schema"], cwd=self.folder, stdout=write, stderr=subprocess.PIPE,
                                       restore_signals=False, preexec_fn=lambda: signal.signal(signal.SIGPIPE, disposition))
            os.close(write)
            self.assertEqual(process.communicate(timeout=60)[1], b"")
            self.assertEqual(process.returncode, -signal.SIGPIPE)

    def test_stderr_that_cannot_be_written_ends_nothing(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([MGD, "train", "teacher.yaml", "--run-dir", "deaf", "--json"], cwd=self.folder,
                                  stdout=subprocess.PIPE, stderr=full, text=True, timeout=120)
            self.assertEqual(done.returncode, 0)
            self.assertIn("metrics", json.loads(done.stdout))
            for args, code in ((["trian"], 2), (["train", "gone.yaml"], 66), (["train", "teacher.yaml", "--run-dir", "deaf"], 73)):
                done = subprocess.run([MGD, *args], cwd=self.folder, stdout=subprocess.PIPE, stderr=full, timeout=60)
                self.assertEqual(done.returncode, code)

    def test_a_listener_of_stderr_that_leaves_ends_no_run(self):
        read, write = os.pipe()
        os.close(read)
        process = subprocess.Popen([MGD, "train", "teacher.yaml", "--run-dir", "left"], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=write)
        os.close(write)
        self.assertEqual(process.wait(timeout=120), 0)
        self.assertTrue((self.folder / "left/model/model.safetensors").exists())

    def test_streams_that_are_closed(self):
        def without(*fds):
            return lambda: [os.close(fd) for fd in fds]
        run = [MGD, "train", "teacher.yaml", "--quiet", "--json", "--run-dir"]
        self.assertEqual(subprocess.run([*run, "closed-2"], cwd=self.folder, stdout=subprocess.DEVNULL, preexec_fn=without(0, 2)).returncode, 0)
        self.assertEqual(subprocess.run([*run, "closed-1"], cwd=self.folder, preexec_fn=without(0, 1, 2)).returncode, 74)
        for name in ("closed-2", "closed-1"):
            self.assertEqual(mgd("eval", f"{name}/model", "--data", "toy.csv", cwd=self.folder).returncode, 0, "no file was written over")
            self.assertNotIn("mgd:", (self.folder / name / "config.yaml").read_text())
        done = subprocess.run([MGD, "predict", "teacher/model", "-"], cwd=self.folder, capture_output=True, text=True, preexec_fn=without(0))
        self.assertEqual(done.returncode, 66, done.stderr)

    def test_the_limit_on_the_size_of_files_is_an_error_of_the_write(self):
        done = mgd("train", "teacher.yaml", "--run-dir", "limited", cwd=self.folder,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
        self.expect(done, 74, "File too large")
        done = mgd("tokenize", "--train", "toy.csv", "--vocab-size", "300", "--out", "tokens", cwd=self.folder,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
        self.expect(done, 74, "File too large")


class Numbers(WithFolder):
    """A run whose weights are no numbers publishes nothing, however short it was."""

    def diverges(self, name, *overrides, verb="train", recipe="teacher.yaml"):
        done = mgd(verb, recipe, "--run-dir", name, *overrides, cwd=self.folder)
        self.expect(done, 76, "train.lr")
        run = self.folder / name
        for left in ("model", "student", "summary.json", "report.html"):
            self.assertFalse((run / left).exists(), left)
        return done

    def test_one_epoch_at_an_absurd_rate(self):
        for i, extra in enumerate(([], ["train.ema_decay=0"], ["train.export_weights=last"], ["data.validation=0"],
                                   ["train.max_steps=1"], ["train.max_steps=4"], ["train.max_steps=5"])):
            self.diverges(f"absurd-{i}", "train.epochs=1", "train.lr=1e308", "train.schedule=constant", *extra)
        again = mgd("train", "teacher.yaml", "--resume", "--run-dir", "absurd-5", "train.epochs=1", "train.lr=1e308",
                    "train.schedule=constant", "train.max_steps=4", cwd=self.folder)
        self.assertEqual(again.returncode, 76, "nor does going on publish it: " + again.stderr)

    def test_weights_that_are_numbers_and_answers_that_are_none(self):
        self.diverges("garbage", "train.epochs=1", "train.max_steps=1", "train.lr=1e36", "train.schedule=constant", "train.clip_norm=0")

    def test_no_checkpoint_of_such_weights_is_kept(self):
        done = self.diverges("kept", "train.lr=1e308", "train.schedule=constant", "train.checkpoint_every=1")
        self.assertIn("no checkpoint", done.stderr)
        self.assertEqual(newest(self.folder / "kept").name, "step-00000000")

    def test_blocks_of_losses_count(self):
        write_recipe(self.folder, "blocks.yaml", "teacher: {path: teacher/model}\n", LOSSES)
        self.diverges("blocks", "train.epochs=1", "train.max_steps=1", "train.lr=1e308", "train.schedule=constant",
                      verb="distill", recipe="blocks.yaml")


class Names(WithFolder):
    def test_names_of_300_letters(self):
        for args, code in ((["train", "teacher.yaml", "--run-dir", LONG], 73),
                           (["train", "teacher.yaml", "--run-dir", f"{LONG}/run"], 73),
                           (["train", "teacher.yaml", "--run-dir", LONG, "--overwrite"], 73),
                           (["train", "teacher.yaml", "--run-dir", LONG, "--resume"], 66),
                           (["train", f"{LONG}.yaml"], 66), (["config", f"{LONG}.yaml"], 66),
                           (["eval", LONG, "--data", "toy.csv"], 66), (["eval", "teacher/model", "--data", LONG], 66),
                           (["inspect", LONG], 66), (["inspect", f"{LONG}/model.safetensors"], 66), (["predict", "teacher/model", LONG], 66),
                           (["inspect", "--mask", "causal,keys=4", "--picture", f"{LONG}.png"], 73),
                           (["tokenize", LONG, "a"], 66), (["tokenize", "--train", LONG, "--out", "t"], 66),
                           (["tokenize", "--train", "toy.csv", "--vocab-size", "300", "--out", LONG], 73),
                           (["generate", LONG, "--prompt", "a"], 66), (["fill-mask", LONG, "a"], 66),
                           (["demo", "digits", "--data", LONG], 66), (["demo", "text", "--run-dir", LONG], 73)):
            done = mgd(*args, cwd=self.folder)
            self.assertEqual(done.returncode, code, f"{args}: {done.stderr}")
            self.assertNotIn("internal", done.stderr)


class Overwrite(WithFolder):
    def files(self, run):
        return {path.relative_to(run): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file() and path.name != ".lock"}

    def setUp(self):
        self.run_dir = self.folder / "run"
        shutil.rmtree(self.run_dir, ignore_errors=True)
        self.expect(mgd("train", "teacher.yaml", "train.epochs=1", cwd=self.folder), 0)
        (self.run_dir / "notes.txt").write_text("of the user")
        self.old = self.files(self.run_dir)

    def test_a_start_that_fails_leaves_the_old_run(self):
        (self.folder / "ragged.csv").write_text("1,2,3\n1,2\n")
        for extra, code in ((["data.path=gone.csv"], 66), (["data.path=ragged.csv"], 65), (["student.model=no_such"], 2),
                            (["train.teacher_cache=x.cache", "data.mean=[0.5, 0.5]"], 2)):
            done = mgd("train", "teacher.yaml", "--overwrite", *extra, cwd=self.folder)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertEqual(self.files(self.run_dir), self.old, extra)

    def test_a_first_batch_that_fails_leaves_the_old_run(self):
        write_folders(self.folder / "torn", ("rows", "columns"), train=20, test=4, side=8)
        for path in sorted((self.folder / "torn/train").rglob("*.png"))[::3]:
            path.write_bytes(path.read_bytes()[:40])
        done = mgd("train", "teacher.yaml", "--overwrite", "data.path=torn", "data.mean=[0.5, 0.5, 0.5]", "data.std=[0.5, 0.5, 0.5]",
                   cwd=self.folder)
        self.expect(done, 65, "samples")
        self.assertEqual(self.files(self.run_dir), self.old)

    def test_a_start_that_is_killed_leaves_the_old_run(self):
        # As a kill leaves it: the old run aside, the new one begun and without a checkpoint.
        (self.run_dir / ".replaced").mkdir()
        for path in list(self.run_dir.iterdir()):
            if path.name not in (".lock", ".replaced", "notes.txt"):
                path.rename(self.run_dir / ".replaced" / path.name)
        (self.run_dir / "config.yaml").write_text("of the new run")
        (self.run_dir / "checkpoints").mkdir()
        self.expect(mgd("train", "teacher.yaml", cwd=self.folder), 73, "already holds a run")
        done = mgd("train", "teacher.yaml", "--overwrite", "data.path=gone.csv", cwd=self.folder)
        self.expect(done, 66)
        self.assertEqual(self.files(self.run_dir), self.old)

    def test_a_new_run_replaces_the_old_one(self):
        self.expect(mgd("train", "teacher.yaml", "--overwrite", "run.seed=6", "train.epochs=1", cwd=self.folder), 0)
        new = self.files(self.run_dir)
        self.assertNotEqual(new[pathlib.Path("model/model.safetensors")], self.old[pathlib.Path("model/model.safetensors")])
        self.assertEqual(len(list(self.run_dir.glob("events.out.tfevents.*"))), 1)
        self.assertFalse((self.run_dir / ".replaced").exists())
        self.assertIn(pathlib.Path("notes.txt"), new)


class Changes(WithFolder):
    """A resumed run says what it now does otherwise, and is no seed of a run that did so from its beginning."""

    def test_what_changes_is_said_kept_and_compared(self):
        both = ("train", "teacher.yaml", "--run-dir")
        self.expect(mgd(*both, "mixed", "train.epochs=1", cwd=self.folder), 0)
        done = mgd(*both, "mixed", "--resume", "train.epochs=2", "train.lr=0.01", cwd=self.folder)
        self.expect(done, 0, "train.lr: 0.05 -> 0.01", "train.epochs: 1 -> 2")
        self.assertIn("lr: 0.01", (self.folder / "mixed/config.yaml").read_text())
        self.assertIn("train.lr: 0.05 -> 0.01", (self.folder / "mixed/changes.txt").read_text())
        self.assertIn("0.01", (self.folder / "mixed/report.html").read_text())
        self.expect(mgd(*both, "pure", "train.epochs=2", "train.lr=0.01", "run.seed=6", cwd=self.folder), 0)
        groups = json.loads(mgd("compare", "mixed", "pure", "--json", cwd=self.folder).stdout)
        self.assertEqual([len(group["runs"]) for group in groups["methods"]], [1, 1])
        done = mgd(*both, "mixed", "--resume", "train.epochs=2", "train.lr=0.02", cwd=self.folder)
        self.expect(done, 0, "without effect: no step is left")
        self.assertIn("lr: 0.01", (self.folder / "mixed/config.yaml").read_text())

    def test_what_belongs_to_a_teacher_needs_one(self):
        for key in ("teacher.image_size=16", "train.teacher_cache=x"):
            self.expect(mgd("train", "teacher.yaml", "--run-dir", "x", "--dry-run", key, cwd=self.folder), 2, "there is no teacher")

    def test_the_folder_of_a_run_names_its_model(self):
        self.expect(mgd("eval", "teacher", "--data", "toy.csv", cwd=self.folder), 66, "its model is teacher/model")
        write_recipe(self.folder, "file.yaml", "teacher: {path: teacher/model/model.safetensors}\n", LOSSES)
        self.expect(mgd("distill", "file.yaml", "--run-dir", "x", cwd=self.folder), 2, "model: NAME, weights: FILE")


class Start(WithFolder):
    """What computes nothing starts at once: the time of processes, because a test may share its cores."""

    def test_front(self):
        mgd("--help", cwd=self.folder)
        for args, code in ((["--help"], 0), (["help"], 0), (["--version"], 0), (["trian"], 2), (["train", "--run-dri", "x"], 2),
                           (["train", "--help"], 0), (["help", "losses"], 0), (["config", "teacher.yaml"], 0), (["config", "--schema"], 0)):
            least = min(self.seconds(args, code) for _ in range(5))
            self.assertLess(least, 0.05, args)

    def seconds(self, args, code):
        before = cpu_seconds_of_children()
        self.assertEqual(mgd(*args, cwd=self.folder).returncode, code)
        return cpu_seconds_of_children() - before

    def test_help_explains_entries_from_their_declaration(self):
        for topic, texts in (("losses", ["kd", "mgd", "cwd"]), ("mgd", ["weight_on", "mask_ratio", "0 ... 1"]), ("kd", ["temperature", "0.9"]),
                             ("augment", ["crop", "mixup"]), ("crop", ["padding", "4"]), ("masks", ["block", "node"]),
                             ("objectives", ["objective.span_mean"]), ("train", ["RECIPE", "train.epochs"]), ("data", ["data.augment"])):
            done = mgd("help", topic, cwd=self.folder)
            self.expect(done, 0)
            for text in texts:
                self.assertIn(text, done.stdout, topic)
        self.expect(mgd("help", "augmnet", cwd=self.folder), 2, "'augment'")
        self.expect(mgd("help", "cutmx", cwd=self.folder), 2, "'cutmix'")
        listed = mgd("help", cwd=self.folder).stdout
        self.assertIn("losses", listed)

    def test_the_other_part_that_is_missing_is_told(self):
        alone = self.folder / "alone"
        alone.mkdir()
        shutil.copy(MGD, alone / "mgd")
        done = subprocess.run([alone / "mgd", "inspect", "cifar_resnet8"], capture_output=True, text=True)
        self.expect(done, 78, "mgd-torch is missing")
        self.assertEqual(subprocess.run([alone / "mgd", "--help"], capture_output=True).returncode, 0)

    def test_threads_wait_politely_unless_the_user_says_otherwise(self):
        quiet = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")}
        told = json.loads(mgd("doctor", "--json", cwd=self.folder, env=quiet).stdout)
        self.assertEqual(told["waiting"], "10000 turns, then sleep (GOMP_SPINCOUNT)")
        told = json.loads(mgd("doctor", "--json", cwd=self.folder, env=dict(quiet, OMP_WAIT_POLICY="active")).stdout)
        self.assertEqual(told["waiting"], "spinning (OMP_WAIT_POLICY)")


class Cache(WithFolder):
    def test_a_complete_teacher_cache_on_a_read_only_disk_serves(self):
        if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0:
            self.skipTest("no user namespaces here")
        write_recipe(self.folder, "cached.yaml", "teacher: {path: teacher/model}\n", LOSSES)
        disk = self.folder / "disk"
        disk.mkdir()
        args = ["distill", "cached.yaml", "train.epochs=1", "train.teacher_cache=disk/t.cache", "--run-dir"]
        script = 'mount --bind disk disk && mount -o remount,ro,bind disk && exec "$@"'

        def read_only(run, *extra):
            return subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", MGD, *args, run, *extra], cwd=self.folder,
                                  capture_output=True, text=True, timeout=120)
        self.expect(read_only("none"), 73, "disk")
        self.expect(mgd(*args, "writable", cwd=self.folder), 0)
        self.expect(read_only("served"), 0, "read-only, complete", "not loaded, the cache is complete")
        self.assertEqual((self.folder / "served/student/model.safetensors").read_bytes(),
                         (self.folder / "writable/student/model.safetensors").read_bytes())
        self.expect(read_only("resumed", "train.max_steps=3"), 0)

        whole = (disk / "t.cache").read_bytes()
        (disk / "t.cache").write_bytes(whole[:len(whole) // 2])
        self.expect(read_only("cut"), 65, "t.cache", "cut short")
        self.assertFalse((self.folder / "cut").exists())


if __name__ == "__main__":
    unittest.main(verbosity=1)
