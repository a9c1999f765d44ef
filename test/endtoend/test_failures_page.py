"""docs/failures.md says what the tests ask for: every case is on it, with its exit code and its line."""

from __future__ import annotations

import re

import pytest
from failures_page import PAGE, rows_of
from test_failures import DATA, OUTPUT, SCRIPT
from test_failures_behind_training import BUILD, GATE
from test_registry_failures import REFUSALS

CASES = [
    *(("Your script", "sklearn-train", case.name, case.code, case.said) for case in SCRIPT),
    *(("What your script wrote", "sklearn-train", case.name, case.code, case.said) for case in OUTPUT),
    *(("Data", "sklearn-train", case.name, case.code, case.said) for case in DATA),
    *(("The gate", "metric-gate", step.name, step.code, step.said) for step in GATE),
    *(("The build", "model-serve-build", step.name, step.code, step.said) for step in BUILD),
    *(("Registries", "model-serve-build", refusal.name, 3, refusal.said) for refusal in REFUSALS),
]


@pytest.mark.parametrize("section", sorted({case[0] for case in CASES}))
def test_the_page_has_every_case_as_it_is_said(section):
    rows = {(there, what): (code, text) for there, what, code, text in rows_of(PAGE.read_text(encoding="utf-8"))}
    wrong = []
    for where, program, what, code, said in CASES:
        if where != section:
            continue
        found = rows.get((section, what))
        if found is None or found[0] != code or not re.fullmatch(f"{program}: error: (?:{said})", found[1]):
            wrong.append(f"{what}: {found}; run test/endtoend/failures_page.py")
    assert wrong == []
