"""Data Docs: they load nothing, and show whatever text they are given as text."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_checks.html import POLICY, el
from quality_checks.pages import INDEX, data_docs, file_name

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOSTILE = (
    '</title></style><script>alert(1)</script><img src=//evil.example/x onerror=alert(1)>" \' onload="x\x00\u202e&lt;'
)
# Elements that load something, or run something, wherever they stand.
LOADING = {"script", "img", "iframe", "object", "embed", "link", "base", "form", "video", "audio", "use", "image"}


class _Read(HTMLParser):
    """Every tag with its attributes, and all text outside of styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] and self.tags[-1][0] != "style":
            self.text += data


def read(page: str) -> _Read:
    found = _Read()
    found.feed(page)
    found.close()
    return found


def a_share(passed: int = 1, checks: int = 2) -> dict[str, Any]:
    return {"passed": passed, "checks": checks, "share": passed / checks if checks else None}


def a_summary(product: str = "people.persons", **told: Any) -> dict[str, Any]:
    return {
        "product": product,
        "domain": "people",
        "verdict": "failed",
        **a_share(),
        "freshness": "fresh",
        "rows": 10,
        "version": "v2",
        "published_at": NOW,
        "evaluated_at": NOW,
        "drifted": None,
        **told,
    }


def a_card(*products: Mapping[str, Any], **told: Any) -> dict[str, Any]:
    domain = {"domain": "people", **a_share(), "dimensions": {"validity": a_share(), "accuracy": a_share(0, 0)}}
    return {"dimensions": ["validity", "accuracy"], "domains": [domain], "products": list(products), **told}


def a_check(**told: Any) -> dict[str, Any]:
    points = [None, {"at": NOW, "partition": None, "passed": False, "measure": 3.0}]
    return {
        "name": "unique__id",
        "passed": False,
        "severity": "critical",
        "dimension": "validity",
        "error": None,
        "observed_value": None,
        "unexpected_count": 3,
        "unexpected_percent": 0.5,
        "engine": "compiled",
        "type": "expect_it",
        "kwargs": {"column": "id"},
        "description": None,
        "history": points,
        **told,
    }


def a_page(product: str = "people.persons", **told: Any) -> dict[str, Any]:
    drift = {"metric": "rows", "column": None, "verdict": "drifted", "figure": 3.0, "median": 9.0, "deviations": None}
    evaluation = {"at": NOW, "version": "v2", "partition": None, "published": True, "rows": 3, **a_share()}
    return {
        **a_summary(product),
        "description": "People.",
        "owner": "testers",
        "refused": None,
        "trouble": None,
        "evaluation": evaluation,
        "check_list": [a_check()],
        "evaluations": [evaluation, {**evaluation, "rows": 9}],
        "drift": [{**drift, "compared_with": "Mondays", "compared": 5}],
        "expected_by": [],
        "damaged": [],
        **told,
    }


def pages(page: Mapping[str, Any] | None = None, product: str = "people.persons") -> dict[str, str]:
    return data_docs(a_card(a_summary(product)), [page or a_page(product)], written_at=NOW)


def hostile_page() -> dict[str, Any]:
    def told(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: told(each) for key, each in value.items()}
        return (
            [told(each) for each in value] if isinstance(value, list) else HOSTILE if isinstance(value, str) else value
        )

    page: dict[str, Any] = told(
        a_page(
            trouble="x",
            refused="x",
            evaluation={"at": NOW, "version": "x", "partition": "x", "published": False, "rows": 1, **a_share()},
            check_list=[a_check(description="x", error="x", observed_value=["x"], kwargs={HOSTILE: HOSTILE})],
            expected_by=[{"consumer": "x", "name": "x", "passed": False, "severity": "x"}],
        )
    )
    return {**page, "drift": [{**page["drift"][0], "metric": "rows", "verdict": "drifted"}]}


def every_page() -> Iterator[str]:
    yield from pages().values()
    hostile = hostile_page()
    card = a_card(a_summary(HOSTILE, verdict=HOSTILE, freshness=HOSTILE))
    card["domains"][0]["domain"] = HOSTILE
    yield from data_docs(card, [hostile], written_at=NOW).values()


def test_no_page_loads_or_runs_anything() -> None:
    for page in every_page():
        tags = read(page).tags
        assert not {tag for tag, _ in tags} & LOADING
        assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
        links = [value or "" for _, attributes in tags for name, value in attributes.items() if name in ("href", "src")]
        assert all(link.startswith(("./", "#")) for link in links), links
        assert "url(" not in page
        assert "@import" not in page


def test_the_pages_own_policy_forbids_what_is_not_ours() -> None:
    for page in every_page():
        policies = [told for tag, told in read(page).tags if tag == "meta" and told.get("http-equiv")]
        assert policies == [{"http-equiv": "Content-Security-Policy", "content": POLICY}]
    assert POLICY.startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_text_is_shown_as_text() -> None:
    shown = HOSTILE.replace("\x00", "�").replace("\u202e", "�")
    [_, page] = data_docs(a_card(), [hostile_page()], written_at=NOW).values()
    assert read(page).text.count(shown) >= 10
    assert "\u202e" not in page


@given(st.text(max_size=40))
def test_any_text_comes_back_as_it_is_or_replaced_where_it_cannot_be_shown(text: str) -> None:
    page = data_docs(a_card(), [a_page(description=text)], written_at=NOW)[file_name("people.persons")]
    tags = [tag for tag, _ in read(page).tags]
    assert tags == [
        tag for tag, _ in read(data_docs(a_card(), [a_page()], written_at=NOW)[file_name("people.persons")]).tags
    ]
    page.encode()


@pytest.mark.parametrize(
    "product", ["people.persons", "a/../b", "x%2e", "zwölf.personen", "a b?c#d", "javascript:alert(1)"]
)
def test_every_link_leads_to_a_page_that_is_written(product: str) -> None:
    made = pages(product=product)
    assert len(made) == 2
    assert all("/" not in name for name in made)
    links = [told["href"] or "" for page in made.values() for tag, told in read(page).tags if tag == "a"]
    assert {unquote(link.removeprefix("./")) for link in links if not link.startswith("#")} == set(made)


def test_a_product_without_a_page_is_named_and_not_linked() -> None:
    made = data_docs(a_card(a_summary(), a_summary("shop.regions")), [a_page()], written_at=NOW)
    assert "shop.regions" in made[INDEX]
    assert file_name("shop.regions") not in made[INDEX]


def test_failed_checks_come_first_with_their_reason() -> None:
    checks = [a_check(name="well", passed=True), a_check(name="ill", error="no such column — add it")]
    text = read(pages(a_page(check_list=checks))[file_name("people.persons")]).text
    assert text.index("ill") < text.index("well")
    assert "no such column — add it" in text


def test_a_product_without_a_history_says_so() -> None:
    empty = a_page(evaluation=None, evaluations=[], drift=[], check_list=[a_check(passed=None, history=[])])
    text = read(pages(empty)[file_name("people.persons")]).text
    assert "No history yet" in text
    assert "not yet" in text


def test_a_verdict_never_rests_on_colour_alone() -> None:
    page = pages()[file_name("people.persons")]
    assert "✗ failed" in page
    assert 'class="cross"' in page
    assert 'aria-label="unique__id: 1 of the last 2 evaluations failed"' in page


def test_tables_are_reached_by_the_keyboard_and_named() -> None:
    for page in pages().values():
        regions = [told for tag, told in read(page).tags if told.get("role") == "region"]
        assert regions
        assert all(told["tabindex"] == "0" and told["aria-label"] for told in regions)
        assert 'href="#content"' in page


def test_an_element_takes_text_before_and_after_others() -> None:
    built = el("p", "a", el("b", "c"), "d", None, "e", class_="x", title=None)
    assert (built.text, built[0].text, built[0].tail, built.attrib) == ("a", "c", "de", {"class": "x"})
