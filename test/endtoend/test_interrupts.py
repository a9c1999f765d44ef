"""A few of the interruptions that ``interrupts.py`` makes many of."""

from __future__ import annotations

import shutil

import pytest
from interrupts import STAGES, interrupts


def test_whatever_is_killed_leaves_whole_output_or_none_and_runs_again(gated):
    quick = [stage for stage in STAGES if stage.program != "sklearn-train"]
    tallies = interrupts(4, seed=3, stages=quick, project=lambda folder: shutil.copytree(gated, folder))
    assert [problem for tally in tallies.values() for problem in tally.problems] == []
    assert any(tally.killed for tally in tallies.values())


@pytest.mark.slow
def test_training_too():
    tallies = interrupts(30, seed=4)
    assert [problem for tally in tallies.values() for problem in tally.problems] == []
    assert all(tally.killed for tally in tallies.values())
