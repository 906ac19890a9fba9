"""Damages files of every format the package reads, and counts what its entry points do with them.

    python tools/fuzz.py [--count 2000] [--seed 0] [--json docs/benchmarks/fuzz.json]

Whole files of each format are made (tools/fuzz_inputs.py), changed at random by the seed, and given
to `segment`, `check-data`, `evaluate`, `convert`, `DeepLab` and `open_segmenter` in child processes
with a limit of time and memory. Videos and the exports of annotation tools are among them.

Outcomes: ok; clear (an error that says what must hold and what was received, or names the file);
raw (another message); traceback (an exception that the command line does not foresee); hang; crash;
executed; outside (something written outside the folder). The exit code is 1 if there is an outcome
other than ok and clear. `--keep` keeps files with such outcomes.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import select
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_inputs import FAMILIES, HOSTILE, ROOT

OUTCOMES = ("ok", "clear", "raw", "traceback", "hang", "crash", "executed", "outside")
_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def damaged(content: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """Returns a changed copy of a file; the archive members of a zip file may change instead."""
    if content.startswith(b"PK") and rng.random() < 0.5:
        return _damaged_member(content, rng, others)
    data = bytearray(content)
    for _ in range(int(rng.choice([1, 1, 2, 4]))):
        if not data:
            break
        # Half of the changes are where formats have their headers.
        reach = min(len(data), 128) if rng.random() < 0.5 else len(data)
        at, length = int(rng.integers(reach)), int(rng.integers(1, 1 + max(1, len(data) // 8)))
        kind = rng.integers(9)
        if kind <= 1:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            data[at] = int(rng.integers(256))
        elif kind == 3:
            size = int(rng.choice([1, 2, 4, 8]))
            number = int(rng.choice(_INTERESTING)) % (1 << 8 * size)
            data[at : at + size] = number.to_bytes(size, str(rng.choice(["little", "big"])))
        elif kind == 4:
            del data[at:]
        elif kind == 5:
            del data[at : at + length]
        elif kind == 6:
            data[at:at] = data[at : at + length]
        elif kind == 7:
            data[at : at + length] = bytes(min(length, len(data) - at))
        else:
            other = others[int(rng.integers(len(others)))]
            data[at : at + length] = other[at : at + length]
    if _is_text(content) and rng.random() < 0.3:
        return _damaged_text(bytes(data), rng)
    return bytes(data)


def _damaged_member(content: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """Changes a member and writes its checksum anew, so that its reader sees the change."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        victim = int(rng.integers(len(old.infolist())))
        for number, entry in enumerate(old.infolist()):
            member = old.read(entry)
            if number == victim:
                member = damaged(member, rng, others)
            new.writestr(entry, member)
    return target.getvalue()


def _damaged_text(text: bytes, rng: np.random.Generator) -> bytes:
    kinds = [
        lambda: b"[" * 100_000,
        lambda: b'{"a":' * 50_000,
        lambda: text.decode("latin-1").encode("utf-16"),
        lambda: text * 20_000,
        lambda: b"\n".join(b"%d" % n for n in range(70_000)),
        lambda: text.replace(b"\n", b"\r"),
        lambda: b"\x00" * 100,
        lambda: b"9" * 10_000,
        lambda: text.replace(b"1", b"-1e999"),
        lambda: b",",
    ]
    return kinds[int(rng.integers(len(kinds)))]()


def _is_text(content: bytes) -> bool:
    return len(content) < 100_000 and all(31 < byte < 127 or byte in b"\r\n\t" for byte in content)


class Worker:
    """A child process that runs cases; it is started again when it hangs or crashes."""

    def __init__(self, sandbox: Path, number: int, seconds: float) -> None:
        self.home = sandbox / f"worker_{number}"
        self.scratch = self.home / "tmp"
        self.scratch.mkdir(parents=True)
        self.seconds = seconds
        self.process: subprocess.Popen[str] | None = None

    def run(self, case: Path, family: str, victim: str) -> tuple[str, str, int]:
        process = self.process = self.process or self._start()
        task = {"case": str(case), "family": family, "victim": victim, "scratch": str(self.scratch)}
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], self.seconds)
        line = process.stdout.readline() if ready else ""
        if line:
            result, words, memory = json.loads(line)
            return result, words, memory
        self.stop()
        if not ready:
            return "hang", f"more than {self.seconds} s", 0
        return "crash", f"exit code {process.returncode}", 0

    def _start(self) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "HOME": str(self.home),
            "TMPDIR": str(self.scratch),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "KERAS_DEEPLAB_CACHE": str(self.home / "cache"),
        }
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", str(Path(__file__).with_name("fuzz_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.home / "stderr.txt").open("w"),
            text=True,
            cwd=self.scratch,
            env=environment,
        )

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def plan(count: int, only: str) -> list[tuple[str, str, int]]:
    """Returns family, file and number of each case."""
    families = {**FAMILIES, **HOSTILE}
    chosen = {name: row for name, row in families.items() if only in name}
    total = sum(weight for _, weight in chosen.values())
    cases = []
    for index in range(count):
        position = index * total % (count * total) // count
        for name, (victim, weight) in chosen.items():
            if position < weight:
                cases.append((name, victim, index))
                break
            position -= weight
    return cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, help="number of damaged files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60, help="limit of one case")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", metavar="TEXT", help="families with this in the name")
    parser.add_argument("--json", metavar="FILE", help="write the counts to this file")
    parser.add_argument("--keep", metavar="DIR", help="folder for the files of bad outcomes")
    arguments = parser.parse_args()
    start = time.time()
    sandbox = Path(tempfile.mkdtemp(prefix="fuzz-")).resolve()
    outside = sandbox / "outside"
    outside.mkdir()
    code = "import sys; from pathlib import Path; from tests.reference.small_presets import *\n"
    code += f"sys.path.insert(0, {str(Path(__file__).parent)!r}); shrink_presets()\n"
    code += "from fuzz_inputs import make_inputs; make_inputs(*map(Path, sys.argv[1:]))"
    command = [sys.executable, "-W", "ignore", "-c", code, str(sandbox / "inputs"), str(outside)]
    subprocess.run(command, check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
    clean = sorted(path.name for path in outside.iterdir())
    for path in outside.iterdir():
        path.unlink()
    print(f"inputs after {time.time() - start:.0f} s (making them wrote {clean})", flush=True)
    cases = plan(arguments.count, arguments.only)
    workers = [Worker(sandbox, n, arguments.seconds) for n in range(arguments.workers)]
    counts: dict[str, Counter[str]] = {name: Counter() for name, _, _ in cases}
    memory = 0
    for name, (victim, _) in FAMILIES.items():
        if arguments.only in name:
            shutil.copytree(sandbox / "inputs" / name, sandbox / "whole")
            result, words, _ = workers[0].run(sandbox / "whole", name, victim)
            shutil.rmtree(sandbox / "whole")
            if result != "ok":
                print(f"the whole file of {name}: {result} {words}", flush=True)

    def share(number: int) -> list[tuple[str, str, int]]:
        return [run(case, workers[number]) for case in cases[number :: arguments.workers]]

    def run(case: tuple[str, str, int], worker: Worker) -> tuple[str, str, int]:
        name, victim, index = case
        rng = np.random.default_rng([arguments.seed, index])
        folder = sandbox / f"case_{index}"
        shutil.copytree(sandbox / "inputs" / name, folder)
        others = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
        content = (folder / victim).read_bytes()
        # The first of the hostile files are tried as they are.
        if name not in HOSTILE or rng.random() < 0.7:
            (folder / victim).write_bytes(damaged(content, rng, others))
        result, words, peak = worker.run(folder, name, victim)
        written = [path.name for path in outside.iterdir()]
        if written:
            result, words = "executed", f"{written} {words}"
        if result not in ("ok", "clear"):
            print(f"{name} {index} {result}: {words}\n", flush=True)
            if arguments.keep:
                shutil.copytree(folder, Path(arguments.keep) / f"{name}_{index}")
        shutil.rmtree(folder)
        return name, result, peak

    with ThreadPoolExecutor(arguments.workers) as pool:
        for results in pool.map(share, range(arguments.workers)):
            for name, result, peak in results:
                counts[name][result] += 1
                memory = max(memory, peak)
    for worker in workers:
        worker.stop()
    strangers = {*(f"worker_{n}" for n in range(arguments.workers)), "inputs", "outside"}
    strays = [path.name for path in sandbox.iterdir() if path.name not in strangers]
    shutil.rmtree(sandbox)
    return report(arguments, counts, strays, time.time() - start, memory)


def report(
    arguments: argparse.Namespace,
    counts: dict[str, Counter[str]],
    strays: list[str],
    seconds: float,
    memory: int,
) -> int:
    total: Counter[str] = sum(counts.values(), Counter())
    rows = {**counts, "all": total}
    print(f"{'':26}" + "".join(f"{name:>10}" for name in ("tried", *OUTCOMES)))
    for name, row in rows.items():
        cells = "".join(f"{row[outcome]:>10}" for outcome in OUTCOMES)
        print(f"{name:26}{sum(row.values()):>10}{cells}")
    print(f"{seconds:.0f} s, at most {memory / 1e6:.1f} GB a process, strays: {strays or 'none'}")
    if arguments.json:
        content: dict[str, Any] = {
            "command": f"python tools/fuzz.py --count {arguments.count} --seed {arguments.seed}",
            "python": platform.python_version(),
            "outcomes": {
                name: {"tried": sum(row.values()), **{x: row[x] for x in OUTCOMES}}
                for name, row in rows.items()
            },
            "written_outside": strays,
        }
        Path(arguments.json).write_text(json.dumps(content, indent=1) + "\n")
    return int(bool(strays) or sum(total.values()) != total["ok"] + total["clear"])


if __name__ == "__main__":
    sys.exit(main())
