"""Who may ask what: the strictest rule of all tables holds, and no refusal depends on a row."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mesh_defs.cleanroom.rules import Asked, groups_of, question_of
from mesh_defs.errors import AccessDeniedError, AnalysisRejectedError
from mesh_defs.model.room import Agreement, Question
from tests.cleanroom.agreements import CUSTOMERS, IMPRESSIONS, NOW, PERSONS, RULE, an_agreement

JOINED = "FROM pub.persons p JOIN adv.customers c ON p.hem = c.person"
REACH = f"SELECT count(DISTINCT p.hem) {JOINED}"
SPENT = "SELECT sum(i.cost) FROM pub.impressions i JOIN adv.customers c ON i.hem = c.person"


def asked(sql: str = REACH, agreement: Agreement | None = None, **changes: Any) -> Any:
    given = {"analyst": "adv", "recipient": "adv", "sql": sql, **changes}
    return question_of(Asked(**given), agreement or an_agreement(), NOW)


def with_rules(*rules: Any, persons: tuple[str, ...] = ("all",)) -> Agreement:
    return an_agreement(rules=(RULE, *rules), tables=(replace(PERSONS, rules=persons), IMPRESSIONS, CUSTOMERS))


def test_the_strictest_of_several_rules_holds() -> None:
    other = replace(RULE, name="other", persons_min=9, dominance_max=0.9, groups_max=3, functions=("reach",))
    _, terms = asked(agreement=with_rules(other, persons=("all", "other")))
    assert (terms.persons_min, terms.dominance_max, terms.groups_max) == (9, 0.5, 3)
    with pytest.raises(AnalysisRejectedError, match="count is not allowed"):
        asked(f"SELECT count(*) {JOINED}", with_rules(other, persons=("all", "other")))


def test_the_level_that_allows_least_holds() -> None:
    noisy = replace(RULE, name="noisy", level="privacy")
    assert asked(agreement=with_rules(noisy, persons=("all", "noisy")))[1].level == "privacy"


def test_a_table_without_a_rule_cannot_be_asked_about() -> None:
    with pytest.raises(AnalysisRejectedError, match="no rule allows"):
        asked(agreement=with_rules(persons=()))


def test_a_level_of_templates_answers_templates_only() -> None:
    agreement = with_rules(replace(RULE, name="fixed", level="template"), persons=("fixed",))
    with pytest.raises(AnalysisRejectedError, match="only signed templates"):
        asked(agreement=agreement)
    question, _ = asked("", agreement, template="reach", arguments={"segment": "auto"})
    assert question.analysis.filters[0][1] == ("auto",)


@pytest.mark.parametrize(
    "arguments", [{}, {"segment": "food"}, {"segment": 1}, {"segment": "auto", "x": 1}, {"s": "auto"}]
)
def test_a_template_takes_its_own_arguments(arguments: dict[str, Any]) -> None:
    with pytest.raises(AnalysisRejectedError):
        asked("", template="reach", arguments=arguments)


def test_an_unknown_template_is_refused() -> None:
    with pytest.raises(AnalysisRejectedError, match="no such template"):
        asked("", template="reached")


@pytest.mark.parametrize("who", ["analyst", "recipient"])
@pytest.mark.parametrize("name", ["pub", "mallory", ""])
def test_only_who_is_named_asks_and_receives(who: str, name: str) -> None:
    with pytest.raises(AccessDeniedError):
        asked(**{who: name})


@pytest.mark.parametrize("level", ["threshold", "privacy"])
def test_who_has_an_exact_answer_has_no_rows_that_count_in_it(level: str) -> None:
    """A publisher that gives its n-th person 2^n rows reads who is in common out of one count."""
    both = an_agreement(recipients=("adv", "pub"))
    both = replace(both, rules=tuple(replace(rule, level=level) for rule in both.rules))
    question_of(Asked(analyst="adv", recipient="adv", sql=REACH), both, NOW)
    if level == "privacy":
        question_of(Asked(analyst="adv", recipient="pub", sql=REACH), both, NOW)
        return
    with pytest.raises(AnalysisRejectedError, match="rows of 'pub' would count"):
        question_of(Asked(analyst="adv", recipient="pub", sql=REACH), both, NOW)


@pytest.mark.parametrize("off", [timedelta(days=-200), timedelta(days=300)])
def test_an_agreement_holds_for_its_time(off: timedelta) -> None:
    with pytest.raises(AccessDeniedError):
        question_of(Asked(analyst="adv", recipient="adv", sql=REACH), an_agreement(), NOW + off)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(DISTINCT p.hem) FROM pub.persons p",
        "SELECT count(DISTINCT c.person) FROM adv.customers c",
        "SELECT count(*) FROM pub.persons p JOIN pub.impressions i ON p.hem = i.hem",
    ],
)
def test_a_room_answers_about_persons_in_common(sql: str) -> None:
    with pytest.raises(AnalysisRejectedError, match="in common"):
        asked(sql)


def test_own_rows_choose_persons_and_add_up_to_nothing() -> None:
    with pytest.raises(AnalysisRejectedError, match="your own"):
        asked(f"SELECT sum(c.spent) {JOINED}")


def test_own_tables_are_frozen() -> None:
    agreement = an_agreement(tables=(PERSONS, IMPRESSIONS, replace(CUSTOMERS, digest=None)))
    with pytest.raises(AnalysisRejectedError, match="not frozen"):
        asked(agreement=agreement)


def test_more_groups_than_agreed_are_refused_before_any_row_is_read() -> None:
    rules = (replace(RULE, groups_max=5),)
    sql = f"SELECT p.segment, p.age, count(DISTINCT p.hem) {JOINED} {{}} GROUP BY 1, 2"
    with pytest.raises(AnalysisRejectedError, match="6 groups"):
        asked(sql.format(""), an_agreement(rules=rules))
    question, _ = asked(sql.format("WHERE p.age IN (1, 2)"), an_agreement(rules=rules))
    assert len(list(groups_of(question.analysis, an_agreement()))) == 4


def test_more_dimensions_than_agreed_are_refused() -> None:
    with pytest.raises(AnalysisRejectedError, match="3 dimensions"):
        asked(f"SELECT p.segment, p.age, c.tier, count(*) {JOINED} GROUP BY 1, 2, 3", an_agreement())


def test_what_is_waived_does_not_hold() -> None:
    agreement = an_agreement(waived={"mesh": ("dominance", "groups_max"), "aws": ("differencing",)})
    question: Question
    question, terms = asked(SPENT, agreement)
    assert terms.dominance_max == 1.0
    assert terms.waived == ("dominance", "groups_max")
    assert question.analysis.measures
