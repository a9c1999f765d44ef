"""The process that examines a saved model, twice: described by a child, proved by itself.

Importing scikit-learn takes longer than the rest, so it is done once, before the fork. Nothing of the project and of
the model is loaded by then, so the second loading is as fresh as the first.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from sklearn_train.describer import describe
from sklearn_train.documents import Description, ExamineRequest, read_document, write_document
from sklearn_train.process_tree import end_with_parent
from sklearn_train.prover import limit, prove
from taskkit.errors import TaskError


def main(request_file: str, description_file: str, proof_file: str) -> None:
    """Ends as the describer ended where that gave no description to prove."""
    gc.disable()  # nothing that is imported is ever garbage, and looking for it takes a fifth of the time
    import joblib.numpy_pickle  # noqa: F401
    import sklearn.pipeline  # noqa: F401

    # Compiled files of the image's packages are welcome, but in code/ they would be files that nobody wrote.
    sys.dont_write_bytecode = True
    request = read_document(Path(request_file), ExamineRequest)
    gc.freeze()
    describer = os.fork()
    if not describer:
        gc.enable()
        end_with_parent()
        write_document(Path(description_file), _description(request))
        _end()
    if request.onnx:
        # Its wheels report what they run to their maker, and leave an identifier in HOME, unless told otherwise.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime  # noqa: F401
        import skl2onnx  # noqa: F401
    gc.enable()
    _end_like(os.waitstatus_to_exitcode(os.waitpid(describer, 0)[1]))
    description = read_document(Path(description_file), Description)
    if not description.problem:
        limit()
        for proof in prove(request, description):
            write_document(Path(proof_file), proof)
    _end()


def _description(request: ExamineRequest) -> Description:
    try:
        return describe(request)
    except TaskError as error:
        traceback.print_exc()
        return Description(problem=error.problem, remedy=error.remedy)


def _end_like(code: int) -> None:
    """``code``: an exit code, or minus the signal that a process was killed by."""
    if code < 0:
        os.kill(os.getpid(), -code)
    if code:
        sys.exit(code)


def _end() -> NoReturn:
    """Leaves the memory to the system: to take it down object by object takes Python half a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
