"""A new task on a cluster: begun by ./scripts/new, given logic, its image built, its tests run by ./scripts/e2e."""

import os
import shutil
import sys

from catalog.tree import TREE

sys.path.insert(0, str(TREE.root / "test" / "cluster"))
sys.path.insert(0, str(TREE.root / "test" / "contributing"))

from checkout import Checkout
from walk_through import NAME, declare_it, give_it_logic


def with_images(checkout):
    """Those of the tree, which need not be built again: blobs are shared, and an index is as new as the checkout."""

    def take(source, target):
        (shutil.copyfile if source.endswith("index.json") else os.link)(source, target)

    for index in (TREE.root / ".images").glob("*/index.json"):
        shutil.copytree(index.parent, checkout.root / ".images" / index.parent.name, copy_function=take)


def where(stage):
    """Arguments of ./scripts/e2e for the cluster that is used here."""
    if stage.kubectl.context:
        return ["--context", stage.kubectl.context, "--registry", stage.registry]
    import testcluster

    return ["--tekton", testcluster.running().tekton]


def test_a_task_that_was_begun_and_given_logic_passes_its_tests(stage, tmp_path):
    checkout = Checkout.make(tmp_path / "checkout")
    checkout.share_environments()
    assert checkout.new("task", NAME).code == 0
    give_it_logic(checkout)
    declare_it(checkout)
    checkout.set_up(NAME)
    with_images(checkout)
    done = checkout.run(sys.executable, "-m", "catalog", "e2e", NAME, *where(stage), path="scripts")
    assert done.code == 0, done.out + done.err
    assert f"building images: {NAME}\n" in done.out
    assert "3 passed, 0 failed" in done.out
    assert f"{NAME}-wrong-choice" in done.out
