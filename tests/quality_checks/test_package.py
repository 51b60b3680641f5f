"""What importing the package costs, and what it offers."""

import subprocess
import sys

import pytest

import quality_checks


def loaded_by(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_declaring_an_expectation_loads_no_engine() -> None:
    declaring = (
        "from quality_checks import Expectation, check_names, primary_key, QualityError, Result\nprimary_key(['a'])"
    )
    assert loaded_by(declaring).isdisjoint({"duckdb", "sqlglot", "pandas", "great_expectations"})


def test_evaluating_loads_neither_pandas_nor_gx() -> None:
    evaluating = (
        "import duckdb\nfrom quality_checks import evaluate, primary_key\n"
        "evaluate(duckdb.connect(), 'range(3)', primary_key(['range']))"
    )
    assert loaded_by(evaluating).isdisjoint({"pandas", "great_expectations"})


def test_offers_every_public_name_even_after_its_module_was_imported() -> None:
    for name in quality_checks.__all__:
        assert callable(getattr(quality_checks, name)), name


def test_refuses_other_names() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = quality_checks.no_such_name
