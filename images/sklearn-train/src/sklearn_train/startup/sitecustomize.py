"""Python imports this at its start when this folder is on PYTHONPATH: so the script is observed, and only the script.

All traces are removed at once, so that processes which the script starts are not observed, and the site's own
sitecustomize runs as it would have.
"""

import os
import sys


def _start() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    rest = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != here]
    if rest:
        os.environ["PYTHONPATH"] = os.pathsep.join(rest)
    else:
        os.environ.pop("PYTHONPATH", None)
    sys.path[:] = [entry for entry in sys.path if entry != here]
    target = os.environ.pop("SKLEARN_TRAIN_OBSERVATIONS", "")
    _run_the_sites_own()
    if target:
        from sklearn_train.fit_observer import start

        start(target)


def _run_the_sites_own() -> None:
    ours = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # type: ignore[import-not-found] # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", ours)


_start()
