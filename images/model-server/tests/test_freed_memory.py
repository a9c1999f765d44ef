"""Memory that a batch has freed is there for the next one."""

import subprocess
import sys

BATCHES = """
import resource, sys
import numpy as np
from model_server.freed_memory import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def faults(batches):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(batches):
        tables = [np.ones(150_000) for _ in range(4)]
        del tables
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // batches

faults(5)
print(faults(50))
"""


def page_faults(which):
    done = subprocess.run(
        [sys.executable, "-c", BATCHES, which], check=True, capture_output=True, text=True, timeout=60
    )
    return int(done.stdout)


def test_a_batch_finds_its_memory_where_the_last_one_left_it():
    assert page_faults("as it is") > 500
    assert page_faults("kept") < 5
