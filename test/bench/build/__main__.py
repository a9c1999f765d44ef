"""How fast an approved model becomes an image in a registry, by model-serve-build and by buildah, side by side.

    .venvs/tools/bin/python test/bench/build [--rounds 5] [--megabytes 1] [--large] [--output folder]

A registry of its own on loopback (Debian's docker-registry) holds the base, ./scripts/images' model-server. Each round
has a new model, so that something is to be done: model-serve-build adds it to the base; buildah builds the usual
Dockerfile on the same base, with all dependencies in it, and pushes: once with the base unpacked in its store, as on a
machine that did so before, and once with an empty store, as in every pod. Nobody installs anything. Times are from
process start to process end. `--large` adds the peak memory for a model of a gigabyte.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))
sys.path.insert(0, str(Path(__file__).parents[3] / "images" / "model-serve-build" / "tests"))
sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from contestants import ROOT, free_port
from measured_process import run

from counted_traffic import CountedTraffic

HERE = Path(__file__).parent

PROGRAM = ROOT / ".venvs" / "model-serve-build" / "bin" / "model-serve-build"
MAKER = ROOT / ".venvs" / "model-server" / "bin" / "python"
DOCKERFILE = "FROM {base}\nWORKDIR /app\nCOPY serve.py model.pkl ./\nCMD uvicorn serve:app --host 0.0.0.0\n"
NEEDS = ("docker-registry", "buildah")


@dataclass
class Rounds:
    """Seconds of each round; requests and bytes of the last one."""

    ours: list[float]
    buildah: list[float]
    buildah_in_a_pod: list[float]
    unchanged: list[float]
    requests: int = 0
    bytes_moved: int = 0
    peak_bytes: int = 0
    large_peak_bytes: int = 0
    large_seconds: float = 0.0


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    settings = folder / "registry.yml"
    settings.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nhttp: {{addr: '{address}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", settings], stdout=log, stderr=log)
        try:
            _await(f"http://{address}/v2/")
            yield address
        finally:
            process.terminate()
            process.wait()


def _await(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the registry did not start")


def make_model(folder: Path, size: int, metric: float) -> str:
    command = [MAKER, HERE / "models.py", folder, str(size), str(metric)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def ours(folder: Path, approval: str, image: str, base: str) -> tuple[float, int]:
    took = run([PROGRAM, f"--approval={approval}", f"--image={image}", f"--base-image={base}"], folder)
    return took.seconds, took.peak_bytes


def by_buildah(folder: Path, reference: str, base: str, store: Path) -> float:
    """Build and push with a store of its own, which keeps what it pulled."""
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=base))
    shutil.copy(HERE.parent / "serve" / "recipe.py", folder / "serve.py")
    shutil.copy(folder / "model" / "model.pkl", folder / "model.pkl")
    spent, name = 0.0, "localhost/bench:build"
    for command in (["build", "--layers", "--isolation", "chroot", "--quiet", "--tls-verify=false", "-t", name, "."],
                    ["push", "--quiet", "--tls-verify=false", name, f"docker://{reference}"]):  # fmt: skip
        spent += run(["buildah", "--root", store / "root", "--runroot", store / "run", *command], folder).seconds
    return spent


def measure(scratch: Path, rounds: int, size: int, *, large: bool) -> Rounds:
    from catalog.imaging.publishing import push_layout

    took = Rounds([], [], [], [])
    with registry(scratch) as direct:
        traffic = CountedTraffic(direct)
        base = push_layout(
            ROOT / ".images" / "model-server", f"{direct}/sklearn-catalog/model-server:1", insecure=False
        )
        counted_base = base.replace(direct, traffic.address)
        for number in range(-1, rounds):  # the first brings what all later ones find
            folder = scratch / f"round{number}"
            approval = make_model(folder, size, 0.9 + number / 1000)
            first, peak = ours(folder, approval, f"{direct}/team/ours:{number + 1}", base)
            second = by_buildah(folder, f"{direct}/team/buildah:{number + 1}", base, scratch / "store")
            fresh = scratch / f"store{number}"
            third = by_buildah(folder, f"{direct}/team/pod:{number + 1}", base, fresh)
            shutil.rmtree(fresh, ignore_errors=True)
            again, _ = ours(folder, approval, f"{direct}/team/ours:{number + 1}", base)
            if number < 0:
                continue
            took.ours.append(first)
            took.buildah.append(second)
            took.buildah_in_a_pod.append(third)
            took.unchanged.append(again)
            took.peak_bytes = max(took.peak_bytes, peak)
            print(
                f"  round {number + 1}: {first:.2f} s, buildah {second:.2f} s, in a pod {third:.2f} s, unchanged {again:.2f} s",
                flush=True,
            )
        traffic.reset()
        ours(folder, approval, f"{traffic.address}/team/counted:1", counted_base)
        took.requests, took.bytes_moved = len(traffic.requests), traffic.sent + traffic.received
        traffic.close()
        if large:
            folder = scratch / "large"
            approval = make_model(folder, 1_000_000_000, 0.9)
            took.large_seconds, took.large_peak_bytes = ours(folder, approval, f"{direct}/team/large:1", base)
    return took


def text(took: Rounds, size: int) -> str:
    def spread(values: Sequence[float]) -> str:
        return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"

    def times(others: Sequence[float]) -> str:
        return f"{spread([other / own for own, other in zip(took.ours, others, strict=True)])} times as long"

    cost = (
        f"{took.requests} requests, {took.bytes_moved / 1e6:.2f} MB both ways, {took.peak_bytes / 1e6:.0f} MB of memory"
    )
    lines = [
        f"A new model of {size / 1e6:g} MB, {len(took.ours)} rounds; median (least–greatest).", "",
        "| | seconds | |", "|---|--:|---|",
        f"| model-serve-build | {spread(took.ours)} | {cost} |",
        f"| buildah build and push, the base in its store | {spread(took.buildah)} | {times(took.buildah)} |",
        f"| buildah build and push, an empty store | {spread(took.buildah_in_a_pod)} | {times(took.buildah_in_a_pod)} |",
        f"| model-serve-build, nothing new | {spread(took.unchanged)} | pushes nothing |",
    ]  # fmt: skip
    if took.large_peak_bytes:
        lines.append(f"| model-serve-build, a model of 1 GB | {took.large_seconds:.1f} | "
                     f"peak memory {took.large_peak_bytes / 1e6:.0f} MB |")  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=1)
    parser.add_argument("--large", action="store_true", help="a model of 1 GB, too")
    parser.add_argument("--output", type=Path, help="folder for build.json and build.md")
    given = parser.parse_args()
    if missing := [name for name in NEEDS if shutil.which(name) is None]:
        print(f"{', '.join(missing)}: not installed; on Debian: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 2
    if not (ROOT / ".images" / "model-server" / "index.json").is_file():
        print("there is no image of model-server; ./scripts/images build model-server", file=sys.stderr)
        return 2
    size = round(given.megabytes * 1e6)
    with tempfile.TemporaryDirectory() as scratch:
        took = measure(Path(scratch), given.rounds, size, large=given.large)
    print(f"\n{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}\n\n{text(took, size)}")
    if given.output:
        given.output.mkdir(parents=True, exist_ok=True)
        (given.output / "build.json").write_text(json.dumps(asdict(took), indent=1))
        (given.output / "build.md").write_text(text(took, size))
    return 0


if __name__ == "__main__":
    sys.exit(main())
