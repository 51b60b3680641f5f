"""The red team's own instruments: each kind of leak is seen, each fault of the harness counts, what is no leak is none."""

import json
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.redteam import limits
from tests.redteam.cases import Case, Knowledge, read_corpus
from tests.redteam.door import Ears, Outcome, listening, refusal_of
from tests.redteam.reference import Reference, same_rows
from tests.redteam.sql import main
from tests.redteam.verdict import Judge, difference


@pytest.fixture
def judge() -> Judge:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA sales")
    connection.execute("CREATE TABLE sales.orders AS SELECT i AS id, 'EU' AS region, i % 2 AS half FROM range(6) t(i)")
    return Judge(reference=Reference(connection=connection), names=("/secret/place", "hr.salaries"))


def case(oracle: str = "markers", **given: Any) -> Case:
    return Case(**{"id": "X", "sql": "select 1", "oracle": oracle, **given})


def answer(*rows: tuple[Any, ...], columns: tuple[str, ...] = ("a",)) -> Outcome:
    return Outcome(columns=columns, rows=rows)


def verdict(judge: Judge, outcome: Outcome, sql: str = "select 1", oracle: str = "markers", **given: Any) -> str:
    return judge.verdict(case(oracle, sql=sql, **given), sql, outcome).kind


@pytest.mark.parametrize(
    "outcome",
    [
        answer(("NOTE-US-4",)),
        answer(({"email": ["u3@s3cr3t.test"]},)),
        answer((b"PID-000003",)),
        answer(({"LEAKFILE": 1},)),
        answer((1,), columns=("APAC",)),
        Outcome(error="engine", texts=("the engine failed", "cannot cast NOTE-US-4")),
        Outcome(error="engine", texts=("failed",), said="log: LEAKHIDDEN-3"),
        answer(("x",)),
    ],
)
def test_sees_a_hidden_value_wherever_it_stands(judge: Judge, outcome: Outcome) -> None:
    assert verdict(judge, outcome, extra_markers=("^x$",)) == "leak"


def test_sees_what_an_error_carries_beneath(judge: Judge) -> None:
    try:
        try:
            raise ValueError("cannot cast 'NOTE-APAC-2'")
        except ValueError:
            raise KeyError("sanitised") from None
    except KeyError as error:
        assert verdict(judge, refusal_of(error)) == "leak"


def test_a_region_that_the_attacker_typed_is_no_leak(judge: Judge) -> None:
    refused = Outcome(error="query-rejected", texts=("there is no column US",))
    assert verdict(judge, refused, sql="select US from sales.orders") == "safe"
    assert verdict(judge, refused, sql="select it from sales.orders") == "leak"


def test_the_attackers_own_text_is_no_leak_when_permitted_rows_give_it_too(judge: Judge) -> None:
    assert verdict(judge, answer(("PID-000003",)), sql="select 'PID-000003'") == "safe"
    guessed = "select 'PID-000003' from sales.orders where id = 77"
    assert verdict(judge, answer(("PID-000003",)), sql=guessed) == "leak"


def test_names_of_the_physical_world_count_where_the_case_asks_for_them(judge: Judge) -> None:
    refused = Outcome(error="storage", texts=("/secret/place is gone",))
    assert verdict(judge, refused, meta=True) == "metadata"
    assert verdict(judge, refused) == "safe"
    assert verdict(judge, refused, sql="from '/secret/place'", meta=True) == "safe"


def test_an_answer_where_none_is_right_is_a_leak(judge: Judge) -> None:
    assert verdict(judge, answer((1,)), oracle="must_reject") == "leak"
    assert verdict(judge, answer((1,)), oracle="empty") == "leak"
    assert verdict(judge, answer(), sql="select id from sales.orders where id > 9", oracle="empty") == "safe"
    masked = "select id from sales.orders order by id desc limit 1"
    assert verdict(judge, answer((5,)), sql=masked, oracle="empty_or_masked") == "safe"
    assert verdict(judge, answer((4,)), sql=masked, oracle="empty_or_masked") == "leak"


def test_a_failure_that_permitted_rows_do_not_explain_is_not_safe(judge: Judge) -> None:
    failed = Outcome(error="engine", texts=("the engine failed",))
    assert verdict(judge, failed, sql="select sum(id) from sales.orders") == "leak"
    assert verdict(judge, failed, sql="select cast(region as int) from sales.orders") == "safe"
    assert verdict(judge, answer((7,)), sql="select count(*) from sales.orders") == "wrong"


def test_a_crash_of_the_platform_is_never_safe(judge: Judge) -> None:
    assert verdict(judge, Outcome(error="crash KeyError", texts=("k",), crashed=True)) == "wrong"


def test_two_guesses_must_come_to_one_outcome(judge: Judge) -> None:
    sqls = ("select * from hr.salaries where", "select * from hr.holidays where")
    refused = [Outcome(error="not-found", texts=(f"{name}: not found",)) for name in ("hr.salaries", "hr.holidays")]
    assert difference(sqls, (refused[0], refused[1])) is None
    assert difference(sqls, (refused[0], Outcome(error="not-found", texts=("hr.holidays: no grant",)))) is not None
    assert difference(sqls, (answer((1,)), answer((2,)))) is not None
    assert judge.pair(case("oracle_pair"), sqls, (answer((1,)), refused[0])).kind != "safe"


@pytest.mark.parametrize(
    ("sql", "rows", "right"),
    [
        ("select id from sales.orders limit 2", [(4,), (2,)], True),
        ("select id from sales.orders limit 2", [(4,), (9,)], False),
        ("select id from sales.orders limit 2", [(4,)], False),
        ("select id, half from sales.orders order by half limit 2", [(4, 0), (2, 0)], True),
        ("select id, half from sales.orders order by 2 desc limit 2", [(4, 0), (2, 0)], False),
        ("select sum(id / 3) from sales.orders", [(5.000000000001,)], True),
        ("select sum(id / 3) from sales.orders", [(5.0001,)], False),
        ("select count(*) from sales.orders", [(6.0,)], False),
    ],
)
def test_ties_and_rounding_are_no_difference(judge: Judge, sql: str, rows: list[tuple[Any, ...]], right: bool) -> None:
    assert verdict(judge, answer(*rows), sql=sql, oracle="benign") == ("answered" if right else "wrong")


def test_rows_are_compared_as_multisets() -> None:
    assert same_rows([(1,), (2,), (2,)], [(2,), (1,), (2,)])
    assert not same_rows([(1,), (2,)], [(1,), (1,)])
    assert not same_rows([(None,)], [("None",)])
    assert same_rows([(float("nan"),)], [(float("nan"),)])


def test_hears_logs_and_children(judge: Judge) -> None:
    with listening() as (ears, _):
        assert isinstance(ears, Ears)
        logging.getLogger("mesh_defs.engine").error("a log with %s", "LEAKFILE")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        heard = ears.new()
        assert ears.new() == ""
    assert "LEAKFILE" in heard
    assert "from a child" in heard


def test_what_is_no_case_is_wrong_and_the_others_run(tmp_path: Path) -> None:
    items = [
        {"id": "A", "sql": "select 1", "oracle": "markers+meta"},
        {"id": "B", "sql": "select 1", "oracle": "hope"},
        {"id": "C", "oracle": "markers"},
        {"id": "D", "sql": "select 1", "oracle": "oracle_pair"},
        {"id": "A", "sql": "select 1", "oracle": "markers"},
    ]
    (tmp_path / "odd.json").write_text(json.dumps(items))
    corpus = read_corpus(tmp_path / "odd.json")
    assert [(each.id, each.meta) for each in corpus.cases] == [("A", True)]
    assert set(corpus.malformed) == {"A", "B", "C", "D"}


def test_placeholders_are_plain_text_and_every_reading_is_tried() -> None:
    files = {"{TXT}": "/c.txt"}
    known = Knowledge(readings=({"{A}": "x", **files}, {"{A}.main.orders": "y.z", "{A}": "y", **files}), told={})
    assert list(known.variants("from {A}.main.orders, '{TXT}', '{{}}'")) == [
        "from x.main.orders, '/c.txt', '{}'",
        "from y.z, '/c.txt', '{}'",
    ]
    assert list(known.variants("select 1")) == ["select 1"]


def test_an_unknown_storage_says_so_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.json").write_text(json.dumps([{"id": "A", "sql": "select 1", "oracle": "markers"}]))
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path / "one.json"), "--storage", "papyrus", "--json"])
    assert "invalid choice: 'papyrus'" in capsys.readouterr().err


def test_what_takes_too_long_or_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS_MAX", 1.0)
    monkeypatch.setattr(limits, "BYTES_MAX", 200_000_000)
    endless = "import subprocess, sys; print('ready', flush=True); subprocess.run([sys.executable, '-c', '{}'])"
    slow = limits.watched([sys.executable, "-c", endless.format("import time; time.sleep(99)")], "")
    assert slow.outcome is None
    assert "did not end" in slow.why
    greedy = "import time; x = bytearray(400_000_000); time.sleep(99)"
    large = limits.watched([sys.executable, "-c", endless.format(greedy)], "")
    assert large.outcome is None
    assert "held" in large.why


def test_no_process_may_outlive_its_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS_MAX", 1.0)
    told = json.dumps({"rows": [], "texts": [], "columns": [], "said": ""})
    left = f"""
import subprocess, sys, time
print("ready", flush=True)
nowhere = subprocess.DEVNULL
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"], stdout=nowhere, stderr=nowhere)
time.sleep(0.5)
print({told!r})
"""
    begun = time.monotonic()
    seen = limits.watched([sys.executable, "-c", left], "")
    assert seen.outcome is None
    assert "left 1" in seen.why
    assert time.monotonic() - begun < 30
