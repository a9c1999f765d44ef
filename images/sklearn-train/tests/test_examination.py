"""The process that describes a model and then proves it ends in many ways; what it found until then is kept."""

import signal
import subprocess
import sys

import pytest

from sklearn_train import description, prover
from sklearn_train.supervised_process import Ended

MODEL = """
import os, signal, sys

class Model:
    def predict(self, rows):
        return [0] * len(rows)

    def __reduce__(self):
        return load, ()

def load():
    if {condition}:
        {effect}
    return Model()
"""
SCRIPT = """
import pickle
import own

pickle.dump(own.Model(), open("model.pkl", "wb"))
open("metrics.json", "w").write('{"accuracy": 1}')
"""
IN_THE_PROVER = "'onnxruntime' in sys.modules"
ANYWHERE = "True"


@pytest.mark.parametrize(
    ("effect", "code", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", 3,
         "the process that loads model.pkl was killed by signal 11; the file is damaged, or there is too little memory"),
        ("os._exit(9)", 70, "RuntimeError: the describer ended with exit code 9"),
    ],
)  # fmt: skip
def test_a_model_whose_loading_ends_the_process_is_told_by_how_it_ended(run, script, effect, code, said):
    done = run(script(SCRIPT, own=MODEL.format(condition=ANYWHERE, effect=effect)))
    assert (done.code, said in done.error) == (code, True), done.error
    assert not (done.project / "model").exists()


@pytest.mark.parametrize(("onnx", "code"), [("auto", 0), ("require", 3)])
def test_a_second_loading_that_crashes_proves_nothing_and_fails_only_who_requires_the_proof(run, script, onnx, code):
    crash = MODEL.format(condition=IN_THE_PROVER, effect="os.kill(os.getpid(), signal.SIGSEGV)")
    done = run(script(SCRIPT, own=crash), f"--onnx={onnx}")
    assert done.code == code, done.error
    if code:
        said = "onnx is require, but the model could not be converted: its process ended with code -11"
        assert said in done.error
    else:
        told = done.manifest().onnx
        assert (told.status, told.reason) == ("skipped", "its process ended with code -11")


def limited(limits, then):
    code = f"from sklearn_train import prover\n{limits}\nprover.limit()\n{then}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def test_a_proof_that_takes_too_long_is_ended_and_told_so():
    done = limited("prover.SECONDS = 1", "while True: pass")
    assert done.returncode == -signal.SIGALRM
    assert description._why_unfinished(Ended(done.returncode, 1, 0, "")) == "it took longer than 120 s"


def test_a_proof_is_refused_more_memory_than_its_own():
    done = limited("prover.MEMORY = 300 << 20", "bytearray(200 << 20)\nbytearray(400 << 20)")
    assert done.stderr.strip().splitlines()[-1] == "MemoryError"
    assert prover.MEMORY == 4 << 30
