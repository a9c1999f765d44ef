"""What needs more than one run on a cluster: who clones, deletes pods, stops registries, deploys and asks.

``./scripts/e2e scenarios`` runs these, and says in ``CATALOG_STAGE`` which cluster it is; without it they are skipped.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from catalog.e2e.kubectl import Kubectl

sys.path.insert(0, str(Path(__file__).parent))

from team import Stage, Team


@pytest.fixture(scope="session")
def stage() -> Stage:
    if "CATALOG_STAGE" not in os.environ:
        pytest.skip("needs a cluster: ./scripts/e2e scenarios starts one, or takes the one that runs")
    told = json.loads(os.environ["CATALOG_STAGE"])
    kubectl = Kubectl(
        Path(told["kubectl"]), Path(told["kubeconfig"]), context=told["context"], environment=told["environment"]
    )
    return Stage(kubectl, told["images"], told["registry"], told["label"], told["level"], told["keep"])


@pytest.fixture(scope="module")
def tkn() -> str:
    """The path of tkn: the cluster's own, or what is on the PATH."""
    found = json.loads(os.environ.get("CATALOG_STAGE", "{}")).get("tkn") or shutil.which("tkn")
    if not found:
        pytest.skip("there is no tkn on the PATH")
    return found


@pytest.fixture(scope="module")
def new_team(stage, request):
    """Makes namespaces, which are gone after the module's tests."""
    teams = []

    def new_team(level: str = stage.level) -> Team:
        name = f"{request.path.stem.removeprefix('test_').replace('_', '-')}-{len(teams)}"
        teams.append(Team.create(stage, name, level))
        return teams[-1]

    yield new_team
    for team in teams if not stage.keep else ():
        team.remove()


@pytest.fixture(scope="module")
def team(new_team) -> Team:
    """A namespace with the catalog's Tasks and Pipelines, and the claim ``source``."""
    made = new_team()
    made.install_catalog()
    made.hold_claim()
    return made
