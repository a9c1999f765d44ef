"""How fast models are served, by us and by others, side by side.

    .venvs/tools/bin/python test/bench/serve [--models M1 M3] [--rounds 3] [--seconds 3] [--peers] [--output folder] [--docs]

Per model all servers are up at once and asked in turn, round after round, by wrk with one thread: ratios are made within
a round, so they stand a machine that is busy with something else better than rates do. Every server has one worker, no
access log, and one thread for arithmetic. Peers (MLServer, KServe) get environments of their own below the user's cache
directory; `--peers` makes them. What they answer differs and is in the last column: a server that only calls predict
does half of the work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import page
from contestants import PEER_REQUIREMENTS, PEERS, make_peer, train
from measuring import Measured, measure
from report import against_peers, chart, table
from targets import verdicts

MODELS = {
    "M1": "logistic regression, iris",
    "M2": "12 scaled numbers, 8 one-hot categories, logistic regression",
    "M3": "random forest, 100 trees",
    "M4": "histogram gradient boosting",
    "M5": "splines and logistic regression, does not convert to ONNX",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=sorted(MODELS), default=sorted(MODELS))
    parser.add_argument("--servers", nargs="+", default=[], help="only these")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=int, default=3, help="of each run with many connections; of the others a half"
    )
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--peers", action="store_true", help="make the environments of the peers that are not there")
    parser.add_argument("--output", type=Path, help="folder for results.json, results.md and chart.svg")
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md's tables and its chart anew")
    given = parser.parse_args()
    if given.docs and (given.servers or len(given.models) < len(MODELS)):
        parser.error("--docs shows all servers and models; leave out --models and --servers")
    if shutil.which("wrk") is None:
        print("wrk is not installed; on Debian: apt-get install wrk", file=sys.stderr)
        return 2
    workspace = PEERS / "models"
    workspace.mkdir(parents=True, exist_ok=True)
    everything: list[Measured] = []
    texts, besides = [head(given)], {}
    print(texts[0], flush=True)
    for name in given.models:
        model = train(workspace, name)
        if given.peers:
            packages = json.loads((model.folder / "model.json").read_text())["environment"]["packages"]
            for peer in PEER_REQUIREMENTS:
                make_peer(peer, packages["scikit-learn"])
        with tempfile.TemporaryDirectory() as scratch:
            found, beside = measure(model, Path(scratch), rounds=given.rounds, seconds=given.seconds,
                                    connections=given.connections, only=set(given.servers))  # fmt: skip
        everything += found
        besides[name] = beside
        texts.append(f"### {name}: {MODELS[name]}\n\n{table(found)}\n\n{against_peers(found)}\n"
                     f"{seen(beside)}\n\n{verdicts(found, beside)}\n")  # fmt: skip
        print(texts[-1], flush=True)
    if given.output:
        given.output.mkdir(parents=True, exist_ok=True)
        (given.output / "results.md").write_text("\n".join(texts))
        (given.output / "chart.svg").write_text(chart(everything, MODELS))
        documents = {"runs": [one.document() for one in everything], "besides": besides}
        (given.output / "results.json").write_text(json.dumps(documents, indent=1))
    if given.docs:
        page.write(everything, besides, MODELS)
    return 0


def head(given: argparse.Namespace) -> str:
    return (
        f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}, wrk with one thread on the "
        f"same machine, {given.rounds} rounds of {given.seconds:g} s, {given.connections} connections; "
        f"load average at the start {os.getloadavg()[0]:.1f}. Ratios: median (least–greatest) of the rounds.\n"
    )


def seen(beside: dict[str, float]) -> str:
    if not beside:
        return ""
    return (
        f"/livez under that load: p50 {beside['livez_p50_ms']:.1f} ms, p99 {beside['livez_p99_ms']:.1f} ms "
        f"of {beside['livez_answers']}. Memory {beside['memory_before'] / 1e6:.1f} MB, after {beside['requests_between']:,} "
        f"more requests {beside['memory_after'] / 1e6:.1f} MB."
    )


if __name__ == "__main__":
    sys.exit(main())
