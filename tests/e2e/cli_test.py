"""The command as a user meets it: exit codes, messages, signals, killed processes. Standard library only.

    python3 tests/e2e/cli_test.py build/release/mgd
"""

import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tarfile
import unittest

from pictures import png, stripes, write_folders

MGD = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "build/release/mgd").resolve()
OTHER_TORCH = MGD.parent / "libother_torch.so"

RECIPE = """
data: {path: toy.csv, validation: 0.2, loader_threads: THREADS, mean: [0.5], std: [0.5]}
TEACHERstudent: {model: cifar_resnet8, width: 0.25}
losses: LOSSES
train: {epochs: 6, batch_size: 20, lr: 0.05, log_every: 1, checkpoint_every: 7, ema_decay: 0.9, precision: PRECISION}
run: {dir: run, seed: 5, threads: 1}
"""
LOSSES = "[{name: cross_entropy}, {name: kd, weight: 0.5}, {name: mgd, mask_ratio: 0.3}]"


def write_toy(folder):
    """300 images of 8 x 8 in three classes: rows, columns, a diagonal, each with noise."""
    draw = random.Random(1)
    with open(folder / "toy.csv", "w") as out:
        for i in range(300):
            kind = i % 3
            shift = draw.randrange(4)
            pixels = []
            for y in range(8):
                for x in range(8):
                    lit = [(y + shift) % 4 == 0, (x + shift) % 4 == 0, (x + y + shift) % 4 == 0][kind]
                    pixels.append((12 if lit else 2) + draw.randrange(4))
            out.write(",".join(map(str, pixels + [kind])) + "\n")


def write_recipe(folder, name="recipe.yaml", teacher="", losses="[{name: cross_entropy}]", threads=0, precision="fp32"):
    text = RECIPE.replace("THREADS", str(threads)).replace("LOSSES", losses).replace("PRECISION", precision)
    (folder / name).write_text(text.replace("TEACHER", teacher))


def mgd(*args, cwd, timeout=120, **options):
    return subprocess.run([MGD, *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=timeout, errors="replace", **options)


def cpu_seconds_of_children():
    """Of those that ended: unlike the time on the wall, it does not depend on what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rows(run):
    """metrics.jsonl without what depends on the clock."""
    result = []
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for key in ("throughput", "memory_mb", "page_faults"):
            row.pop(key, None)
        result.append(row)
    return result


def newest(run):
    return sorted((run / "checkpoints").glob("step-*"))[-1]


class WithFolder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="mgd-e2e-"))
        write_toy(cls.folder)
        write_recipe(cls.folder, "teacher.yaml")
        done = mgd("train", "teacher.yaml", "--run-dir", "teacher", "student.width=0.5", cwd=cls.folder)
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def expect(self, done, code, *texts):
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)


class MainPath(WithFolder):
    def test_distil_evaluate_predict_inspect(self):
        write_recipe(self.folder, teacher="teacher: {path: teacher/model}\n", losses=LOSSES)
        done = mgd("distill", "recipe.yaml", "--json", cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 1, "nothing but one object on stdout")
        summary = json.loads(lines[0])
        self.assertEqual(summary["model_dir"], "student")
        self.assertGreater(summary["teacher"]["metrics"]["accuracy"], 0.8)
        run = self.folder / "run"
        for name in ("config.yaml", "env.json", "metrics.jsonl", "data_report.json", "summary.json", "report.html"):
            self.assertTrue((run / name).stat().st_size > 0, name)
        self.assertTrue(list(run.glob("events.out.tfevents.*")))
        self.assertEqual(sorted(p.name for p in (run / "student").iterdir() if p.name != "manifest.json"),
                         ["config.json", "model.safetensors"])

        done = mgd("eval", "run/student", "--data", "toy.csv", "--json", cwd=self.folder)
        metrics = json.loads(done.stdout)["metrics"]
        self.assertAlmostEqual(metrics["accuracy"], summary["metrics"]["accuracy"], places=6)

        done = mgd("inspect", "run/student", "--json", cwd=self.folder)
        described = json.loads(done.stdout)
        self.assertEqual(described["parameters"], summary["student"]["parameters"])
        self.assertIn("layer3", [tap["name"] for tap in described["taps"]])

        again = mgd("distill", "recipe.yaml", cwd=self.folder)
        self.expect(again, 73, "already holds a run", "--resume", "--overwrite")

    def test_an_archive_gives_what_its_folder_gives(self):
        write_folders(self.folder / "photos", ("rows", "columns"), train=30, test=12, side=8)
        with tarfile.open(self.folder / "photos.tar.xz", "w:xz") as archive:
            archive.add(self.folder / "photos", arcname=".")
        (self.folder / "photos.yaml").write_text("data: {path: photos, validation: 0}\nstudent: {model: cifar_resnet8, width: 0.25}\n"
                                                 "train: {epochs: 1, batch_size: 20}\nrun: {threads: 1}\n")
        self.expect(mgd("train", "photos.yaml", "--run-dir", "photos-run", cwd=self.folder), 0)
        results = [json.loads(mgd("eval", "photos-run/model", "--data", data, "--json", cwd=self.folder).stdout)["metrics"]
                   for data in ("photos", "photos.tar.xz")]
        for key in ("accuracy", "loss", "confusion"):
            self.assertEqual(results[0][key], results[1][key])
        done = mgd("predict", "photos-run/model", "photos/test/rows", "--json", "--logits", cwd=self.folder)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(lines), 12)
        self.assertEqual(len(lines[0]["logits"]), 2)
        self.assertIn(lines[0]["predictions"][0]["label"], ("rows", "columns"))

        listed = mgd("predict", "photos-run/model", "-", "--json", "--logits", cwd=self.folder,
                     input="".join(line["input"] + "\n" for line in lines[:3]) + "\n" + lines[3]["input"] + "\r\n")
        self.expect(listed, 0)
        self.assertEqual([(row["input"], row["predictions"][0]["label"]) for row in map(json.loads, listed.stdout.splitlines())],
                         [(row["input"], row["predictions"][0]["label"]) for row in lines[:4]])
        self.expect(mgd("predict", "photos-run/model", "-", cwd=self.folder, input="\n"), 66, "no path on standard input")
        self.expect(mgd("predict", "photos-run/model", "-", cwd=self.folder, input="gone.png\n"), 66, "gone.png")
        self.expect(mgd("predict", "photos-run/model", "-", cwd=self.folder, input="\x7fELF\0\0\n"), 65, "line 1", "one path a line")

    def test_hostile_names_are_text_everywhere(self):
        """faults.md row 25."""
        script, odd = "<script>alert(1)<", "new\nline \x1b[31mred"
        write_folders(self.folder / "odd", (script, odd), train=20, test=4, side=8)
        (self.folder / "odd.yaml").write_text("data: {path: odd, validation: 0}\nstudent: {model: cifar_resnet8, width: 0.25}\n"
                                              "train: {epochs: 1, batch_size: 20}\nrun: {threads: 1}\n")
        done = mgd("train", "odd.yaml", "--run-dir", "odd-run", cwd=self.folder)
        self.expect(done, 0)
        report = (self.folder / "odd-run/report.html").read_text()
        self.assertNotIn(script, report)
        self.assertNotIn("\x1b", report + done.stderr + done.stdout)
        evaluated = mgd("eval", "odd-run/model", "--data", "odd", cwd=self.folder)
        self.expect(evaluated, 0)
        self.assertNotIn("\x1b", evaluated.stdout + evaluated.stderr)
        json.loads(mgd("eval", "odd-run/model", "--data", "odd", "--json", cwd=self.folder).stdout)

    def test_broken_pictures_are_counted_up_to_a_limit(self):
        """faults.md row 15 through the command."""
        write_folders(self.folder / "some", ("rows", "columns"), train=100, test=4, side=8)
        (self.folder / "some/train/rows/000.png").write_bytes(b"not a picture")
        recipe = ("data: {path: some, validation: 0, loader_threads: 1}\nstudent: {model: cifar_resnet8, width: 0.25}\n"
                  "train: {epochs: 1, batch_size: 20}\nrun: {threads: 1}\n")
        (self.folder / "some.yaml").write_text(recipe)
        self.expect(mgd("train", "some.yaml", "--run-dir", "some-run", cwd=self.folder), 0)
        corrupt = json.loads((self.folder / "some-run/data_report.json").read_text())["corrupt"]
        self.assertEqual(len(corrupt), 1)
        self.assertIn("rows/000.png", next(iter(corrupt)))
        for i in range(1, 30):
            (self.folder / f"some/train/rows/{i:03}.png").write_bytes(png(stripes(random.Random(i), False, 8))[:60])
        done = mgd("train", "some.yaml", "--run-dir", "some-more", cwd=self.folder)
        self.expect(done, 65, "rows/0")

    def test_dry_run_writes_nothing(self):
        done = mgd("train", "teacher.yaml", "--dry-run", "--run-dir", "dry", cwd=self.folder)
        self.expect(done, 0, "dry run: loss")
        self.assertFalse((self.folder / "dry").exists())

    def test_verbs_explain_themselves(self):
        for verb in ("distill", "train", "eval", "predict", "inspect", "tokenize", "fill-mask", "generate", "config", "doctor",
                     "demo"):
            done = mgd(verb, "--help", cwd=self.folder)
            self.assertEqual(done.returncode, 0)
            lines = done.stdout.splitlines()
            self.assertLessEqual(len(lines), 24, f"{verb} --help does not fit one screen")
            self.assertLessEqual(max(map(len, lines)), 80)
            self.assertIn(f"mgd {verb}", done.stdout)
        self.assertEqual(mgd("doctor", cwd=self.folder).returncode, 0)
        self.assertIn("train.epochs", mgd("config", "--schema", cwd=self.folder).stdout)
        self.assertIn("command line", mgd("config", "teacher.yaml", "train.epochs=3", cwd=self.folder).stdout)


class Typos(WithFolder):
    """Acceptance: one message with the place and the nearest right name, exit 2 or 66, in under a second."""

    def check(self, args, code, *texts):
        before = cpu_seconds_of_children()
        done = mgd(*args, cwd=self.folder)
        seconds = cpu_seconds_of_children() - before
        self.expect(done, code, *texts)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertLess(seconds, 1.0)

    def test_everywhere(self):
        base = "data: {path: toy.csv, mean: [0.5], std: [0.5]}\nteacher: {path: teacher/model}\nstudent: {model: cifar_resnet8}\n"
        cases = [
            ("train: {epohcs: 3}", 2, ["bad.yaml:4:9", "'epochs'"]),
            ("train: {lr: fast}", 2, ["bad.yaml:4:", "train.lr", "fast"]),
            ("train: {optimizer: sdg}", 2, ["'sgd'"]),
            ("losses: [{name: mdg}]", 2, ["bad.yaml:4:", "'mgd'"]),
            ("losses: [{name: mgd, mask: chanel}]", 2, ["'channel'"]),
            ("losses: [{name: mgd, student_tap: layr3}]", 2, ["'layer3'"]),
            ("losses: [{name: mgd, mask_ratio: 1.5}]", 2, ["mask_ratio", "1.5"]),
            ("losses: [{name: mgd, mask_rato: 0.5}]", 2, ["'mask_ratio'"]),
            ("masks: [{node: inptu, mask: block}]", 2, ["'input'"]),
        ]
        for text, code, expected in cases:
            (self.folder / "bad.yaml").write_text(base + text + "\n")
            self.check(["distill", "bad.yaml", "--run-dir", "never"], code, *expected)
        (self.folder / "bad.yaml").write_text(base.replace("cifar_resnet8", "cifar_resnet9"))
        self.check(["distill", "bad.yaml", "--run-dir", "never"], 2, "'cifar_resnet8'")
        (self.folder / "bad.yaml").write_text(base.replace("toy.csv", "toi.csv"))
        self.check(["distill", "bad.yaml", "--run-dir", "never"], 66, "toi.csv")
        self.check(["distil", "teacher.yaml"], 2, "'distill'")
        self.check(["train", "teacher.yaml", "--run-dri", "x"], 2, "--run-dir")
        self.check(["train", "techer.yaml"], 66, "teacher.yaml")
        self.check(["train", "teacher.yaml", "train.epohcs=3"], 2, "'epochs'")
        self.check(["eval", "teacher/modle", "--data", "toy.csv"], 66, "teacher/modle")

    def test_class_counts_that_differ(self):
        lines = (self.folder / "toy.csv").read_text().splitlines()
        (self.folder / "four.csv").write_text("\n".join(lines + [l.rsplit(",", 1)[0] + ",3" for l in lines[:60]]) + "\n")
        done = mgd("eval", "teacher/model", "--data", "four.csv", cwd=self.folder)
        self.expect(done, 2, "3 classes", "4")
        write_recipe(self.folder, "four.yaml", "teacher: {path: teacher/model}\n", LOSSES)
        done = mgd("distill", "four.yaml", "data.path=four.csv", "--run-dir", "never", cwd=self.folder)
        self.expect(done, 2, "teacher", "3 classes", "4")
        self.assertFalse((self.folder / "never").exists(), "a refused run leaves nothing behind")


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

    def cached(self, run, *options, cache="t.cache", code=0):
        write_recipe(self.folder, "cached.yaml", "teacher: {path: teacher/model}\n", LOSSES)
        done = mgd("distill", "cached.yaml", "data.augment=[crop: 1, flip]", "data.views=2", f"train.teacher_cache={cache}",
                   "--run-dir", run, *options, cwd=self.folder)
        self.expect(done, code)
        return done

    def student_of(self, run):
        return (self.folder / run / "student/model.safetensors").read_bytes()

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
        self.assertEqual(self.student_of("cache-fp32"), self.student_of("cache-none"))

    def test_a_complete_teacher_cache_replaces_the_teacher(self):
        cache = self.folder / "c.cache"
        first = self.cached("complete-1", cache="c.cache")
        self.assertRegex(first.stderr, r"teacher cache .*c.cache: [0-9.]+ [KM]iB, 192 samples x 2 views, fp32 features, all logits; 0 of 384")
        second = self.cached("complete-2", cache="c.cache")
        self.expect(second, 0, "; complete", "not loaded, the cache is complete")
        summaries = [json.loads((self.folder / f"complete-{i}/summary.json").read_text()) for i in (1, 2)]
        self.assertEqual(summaries[0]["teacher"], summaries[1]["teacher"])
        self.assertEqual(summaries[1]["teacher_cache"]["misses"], 0)
        self.assertFalse(summaries[1]["teacher_cache"]["teacher_loaded"])
        self.assertEqual(self.student_of("complete-2"), self.student_of("complete-1"))
        self.assertIn("The teacher was not loaded", (self.folder / "complete-2/report.html").read_text())

        with open(cache, "r+b") as file:  # a flipped bit
            file.seek(-100, os.SEEK_END)
            file.write(b"\x55")
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
        big = ("train", "teacher.yaml", "--run-dir", run, "data.image_size=96", "train.batch_size=120", "train.schedule=constant")
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

    def test_tokenizer_learned_and_used(self):
        (self.folder / "prose.txt").write_text("The cat sat on the mat. The cats sat.\n" * 3)
        done = mgd("tokenize", "--train", "prose.txt", "--vocab-size", "60", "--out", "tokens", "--json", cwd=self.folder)
        self.expect(done, 0)
        self.assertLessEqual(json.loads(done.stdout)["vocab_size"], 60)
        done = mgd("tokenize", "tokens", "Mats sat", "--json", "--decode", cwd=self.folder)
        row = json.loads(done.stdout)
        self.assertEqual(row["tokens"], ["[CLS]", "mat", "##s", "sat", "[SEP]"])
        self.assertEqual(row["offsets"], [[0, 0], [0, 3], [3, 4], [5, 8], [0, 0]])
        self.assertEqual(row["decoded"], "mats sat")
        again = mgd("tokenize", "--train", "prose.txt", "--vocab-size", "60", "--out", "tokens", cwd=self.folder)
        self.expect(again, 73, "is there already")
        stdin = b"the mat\n\xff cat\n" + b"cat " * 400_000 + b"\n"
        done = subprocess.run([MGD, "tokenize", "tokens", "-", "--json"], cwd=self.folder, input=stdin, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 2 + 2, "the long line comes in two parts")
        self.assertIn(b"1 lines of more than 1048576 bytes came in parts", done.stderr)
        self.assertIn(b"1 places were no UTF-8", done.stderr)
        (self.folder / "bad.json").write_text('{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}}')
        self.expect(mgd("tokenize", "bad.json", "a", cwd=self.folder), 65, "model.merges[0]")
        self.expect(mgd("tokenize", "tokens", cwd=self.folder), 2, "no text")
        self.expect(mgd("tokenize", "nowhere", "a", cwd=self.folder), 66, "nowhere")

    def test_pickle_is_refused(self):
        (self.folder / "model.pth").write_bytes(b"\x80\x02}q\x00.")
        done = mgd("eval", "model.pth", "--data", "toy.csv", cwd=self.folder)
        self.expect(done, 77, "python")

    def test_strange_model_paths(self):
        os.mkfifo(self.folder / "fifo")
        self.expect(mgd("inspect", "fifo", cwd=self.folder, timeout=20), 77)
        self.expect(mgd("inspect", "/dev/zero", cwd=self.folder, timeout=20), 77)
        self.assertIn(mgd("inspect", ".", cwd=self.folder).returncode, (65, 66))


if __name__ == "__main__":
    unittest.main(verbosity=1)
