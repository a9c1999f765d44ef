"""One checkout for all tests, as it was at the beginning for each."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from checkout import Checkout


@pytest.fixture(scope="session")
def kept_checkout(tmp_path_factory) -> Checkout:
    assert Path(sys.prefix).name == "tools"
    return Checkout.make(tmp_path_factory.mktemp("contributing") / "checkout")


@pytest.fixture
def checkout(kept_checkout) -> Checkout:
    """As it was at the beginning."""
    kept_checkout.share_environments()
    shutil.rmtree(kept_checkout.root / ".git" / "hooks", ignore_errors=True)
    kept_checkout.git("reset", "--quiet", "--hard", "begin")
    kept_checkout.git("clean", "-ffdq")
    return kept_checkout
