"""The epsilon audit finds nothing in the real privacy level, and finds each of the mistakes that people make."""

import pytest

from tests.cleanroom.audit import CASES, Case, audited

SAMPLES = 4000


@pytest.mark.parametrize("case", CASES[:5], ids=str)
def test_the_audit_refutes_what_is_broken_and_nothing_else(case: Case) -> None:
    claimed, found = audited(case, SAMPLES)
    assert (found > claimed) == bool(case.broken)
