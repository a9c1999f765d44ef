"""How long it takes from a commit to an image on Tekton: clone-train-gate-build and the usual recipe, in turn, warm.

    .venvs/tools/bin/python test/bench/pipeline [--rounds 4] [--output folder] [--keep]

On the cluster of ./scripts/cluster, which is used if it runs and started for this while if not. The recipe, recipe.yaml
beside this file: git-clone, train in a Python image, validate with kubectl, jq and bc against a ConfigMap, build with
kaniko as root; four Tasks on one volume as ours are. Both get the same commits of the same project from a git server in
the cluster, the same clone step, the same registry, and base images that have everything in them. Each round has a
commit with another model, so that something is to be built, and is measured from asking for the PipelineRun to seeing
that it ended; the run is deleted before the next one begins. In the recipe's favour: what its `pip install` asks for is
in its images already, and it takes git-clone by name, ours from a bundle. The first time kaniko is built from its Go
module.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "scenarios"))
sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "cluster"))
sys.path.insert(1, str(Path(__file__).resolve().parents[3] / "scripts"))

import recipe_images
import report
import sides
import testcluster
from sides import Ran, Side
from team import Stage, Team

from catalog import images
from catalog.e2e import scenarios
from catalog.e2e.kubectl import KubectlError
from catalog.e2e.stages import StageError, own_cluster, remove_namespaces
from catalog.imaging.errors import ImageError
from taskkit.errors import TaskError


def _say(line: str) -> None:
    print(line, flush=True)


def _measure(stage: Stage, cluster: testcluster.Cluster, rounds: int) -> report.Measured:
    team = Team.create(stage, "ours", stage.level)
    git = sides.git(team)
    images_of_recipe = recipe_images.pushed(cluster)
    both = (
        sides.recipe(stage, Team.create(stage, "recipe", "privileged"), git, images_of_recipe),
        sides.ours(stage, team, git),
    )
    ran: dict[str, list[Ran]] = {side.name: [] for side in both}
    for number in range(rounds + 1):
        sides.commit(git, number)
        for side in both:
            ran[side.name].append(sides.run(side, f"{side.name}-{number}"))
        told = ", ".join(f"{name} {found[-1].times.total:.1f} s" for name, found in ran.items())
        _say(f"  {f'round {number}' if number else 'warming up'}: {told}")
    bases = (*(stage.images[name] for name in ("model-server", "model-server-onnx")), images_of_recipe["recipe-base"])
    return _measured(both, ran, bases, cluster)


def _measured(both: Sequence[Side], ran: dict[str, list[Ran]], bases: tuple[str, ...],
              cluster: testcluster.Cluster) -> report.Measured:  # fmt: skip
    last = {name: found[-1].image for name, found in ran.items()}
    return report.Measured(
        recipe=ran["recipe"][1:],
        ours=ran["ours"][1:],
        warming={name: found[0].times.total for name, found in ran.items()},
        sizes={name: sides.size(image, bases) for name, image in last.items()},
        answers={side.name: sides.answer(side, last[side.name]) for side in both},
        tekton=cluster.tekton,
        kaniko=recipe_images.KANIKO,
        processors=os.cpu_count() or 1,
    )


def _on_a_cluster(rounds: int, *, keep: bool) -> report.Measured:
    found = testcluster.running()
    with own_cluster(found.tekton if found else "", images.programs(), keep=keep, say=_say) as stage:
        cluster = testcluster.running()
        assert cluster is not None
        in_pods = str(scenarios.told(stage)["registry"])
        try:
            return _measure(
                Stage(stage.kubectl, stage.images, in_pods, stage.label, stage.level, keep), cluster, rounds
            )
        finally:
            if not keep:
                with suppress(KubectlError):
                    remove_namespaces(stage)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--output", type=Path, help="folder for pipeline.json and pipeline.md")
    parser.add_argument("--keep", action="store_true", help="keep namespaces and cluster, for looking around")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds must be 1 or more")
    try:
        measured = _on_a_cluster(given.rounds, keep=given.keep)
    except (StageError, ImageError, TaskError, KubectlError, testcluster.ClusterError, RuntimeError) as error:
        print(f"pipeline: error: {error}", file=sys.stderr)
        return 3
    found = report.text(measured)
    print(f"\n{found}")
    if given.output:
        given.output.mkdir(parents=True, exist_ok=True)
        document = {"ratio": report.ratio(measured), "target": report.TARGET, **asdict(measured)}
        (given.output / "pipeline.json").write_text(json.dumps(document, indent=1))
        (given.output / "pipeline.md").write_text(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
