"""Verdicts as a JUnit report."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from catalog.task_tests import Verdict


def document(verdicts: Sequence[Verdict]) -> str:
    """One test case for each verdict; what was not met is the failure's message, the log its text."""
    failures = str(sum(not verdict.passed for verdict in verdicts))
    suite = ET.Element("testsuite", name="e2e", tests=str(len(verdicts)), failures=failures)
    for verdict in verdicts:
        seconds = f"{verdict.seconds:.1f}"
        case = ET.SubElement(suite, "testcase", name=verdict.test.name, classname=verdict.test.path.stem, time=seconds)
        if not verdict.passed:
            ET.SubElement(case, "failure", message="; ".join(verdict.unmet)).text = _legal(
                "\n".join(part for part in (verdict.circumstances, verdict.log) if part)
            )
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _legal(text: str) -> str:
    """Without the control characters that XML can't hold."""
    return "".join(character for character in text if character >= " " or character in "\t\n\r")
