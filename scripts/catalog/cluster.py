"""``./scripts/cluster up|down|status|logs``: a real cluster with Tekton for tests."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "cluster"))

import testcluster
from testcluster import Cluster, ClusterError

DONE, WRONG_USAGE, COULD_NOT = 0, 2, 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./scripts/cluster", description="A real cluster with Tekton for tests.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="up|down|status|logs")
    up = verbs.add_parser("up", help="start a cluster, unless it runs")
    up.add_argument("--tekton", default=testcluster.NEWEST_TEKTON, metavar="VERSION", help="default: %(default)s")
    how = "auto: kind where docker or podman works, else processes of this machine (Linux, root)"
    up.add_argument("--how", choices=("auto", "kind", "native"), default="auto", help=how)
    down = verbs.add_parser("down", help="end the cluster and remove what it made")
    down.add_argument("--everything", action="store_true", help="its logs and its registry's images, too")
    verbs.add_parser("status", help="what runs, where; exit code 3 when nothing runs")
    logs = verbs.add_parser("logs", help="the logs of the cluster's own programs, and of its pods")
    logs.add_argument("component", nargs="?", help="one of those that are listed without it")
    logs.add_argument("--lines", type=int, default=100, help="how many of the last lines (default: %(default)s)")
    return parser


def _describe(cluster: Cluster) -> str:
    folders = {str(program.parent) for program in (cluster.kubectl_program, cluster.tkn_program) if program}
    registry = f"registry {cluster.registry} (in pods: {cluster.registry_in_pods})"
    settings = f"export KUBECONFIG={cluster.kubeconfig} PATH={':'.join(sorted(folders))}:$PATH"
    return f"{cluster.kind} cluster with Tekton {cluster.tekton}, {registry}\n{settings}"


def _up(tekton: str, how: str) -> None:
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:4.0f} s  {line}", flush=True)

    cluster = testcluster.up(tekton, how=how, say=say)
    say("Tekton answers")
    print(_describe(cluster))


def _status() -> int:
    cluster = testcluster.running()
    if cluster is None:
        print(testcluster.why_it_ended() or "no cluster runs; ./scripts/cluster up starts one")
        return COULD_NOT
    print(_describe(cluster))
    print(cluster.kubectl("get", "pods", "--all-namespaces", timeout=20), end="")
    return DONE


def _logs(component: str | None, lines: int) -> None:
    folder = testcluster.state_directory() / "log"
    found = {path.stem: path for path in sorted(folder.glob("*.log"))}
    for path in sorted((folder / "pods").glob("*/*/*.log")):  # namespace_pod_uid/container/number of starts
        namespace, pod, _ = path.parts[-3].split("_")
        found[f"{namespace}/{pod}/{path.parts[-2]}"] = path
    if component is None:
        print("\n".join(found) or f"there are no logs in {folder}")
        return
    matching = [name for name in found if name == component] or [name for name in found if name.startswith(component)]
    if len(matching) != 1:
        raise ClusterError(f"'{component}' names {len(matching)} logs; there are: {', '.join(found) or 'none'}")
    subprocess.run(["tail", "-n", str(lines), found[matching[0]]], check=False)


def main(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv)
    try:
        if arguments.verb == "up":
            _up(arguments.tekton, arguments.how)
        elif arguments.verb == "down":
            testcluster.down(arguments.everything)
        elif arguments.verb == "status":
            return _status()
        else:
            _logs(arguments.component, arguments.lines)
    except ClusterError as error:
        print(f"cluster: error: {error}", file=sys.stderr)
        return COULD_NOT
    except KeyboardInterrupt:
        print("cluster: interrupted; ./scripts/cluster down removes what is there", file=sys.stderr)
        return COULD_NOT
    return DONE
