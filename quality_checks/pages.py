"""Data Docs: a scorecard and a page for each product, as HTML that needs no script, no server and no network.

GX's own Data Docs fetch ten files of third parties, which a reader behind a firewall does not get and a careful one does
not want. What goes in is what `mesh quality --json` prints; nothing is computed here, and nothing is written.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element

from quality_checks.charts import bars, line
from quality_checks.html import Child, document, el
from quality_checks.style import STYLE

INDEX = "index.html"
EVALUATIONS_SHOWN_MAX = 30
_KINDS = {
    "passed": ("good", "✓"),
    "steady": ("good", "✓"),
    "fresh": ("good", "✓"),
    "failed": ("bad", "✗"),
    "trouble": ("bad", "✗"),
    "late": ("warn", "!"),
    "warning": ("warn", "!"),
    "refused": ("warn", "!"),
    "drifted": ("warn", "~"),
}


def data_docs(card: Mapping[str, Any], pages: Sequence[Mapping[str, Any]], *, written_at: datetime) -> dict[str, str]:
    """Return file name -> HTML: the scorecard, and what was asked for of the products."""
    linked = {page["product"] for page in pages}
    made = {INDEX: _page("Data quality", written_at, *_scorecard(card, linked), back=False)}
    return made | {file_name(page["product"]): _page(page["product"], written_at, *_product(page)) for page in pages}


def file_name(product: str) -> str:
    """Return the name of a product's page: one file beside the index, whatever characters the product's name has."""
    return f"{quote(product, safe='')}.html"


def _page(title: str, written_at: datetime, *content: Child, back: bool = True) -> str:
    nav = el("nav", el("a", "← all products", href=f"./{INDEX}"), aria_label="Pages") if back else None
    return document(
        f"{title} · quality",
        STYLE,
        el("a", "Skip to the content", class_="skip", href="#content"),
        el("header", nav, el("h1", title)),
        el("main", *content, id="content"),
        el(
            "footer", f"Written {_moment(written_at)}. Counts and aggregates only: no value of a row is on these pages."
        ),
    )


def _scorecard(card: Mapping[str, Any], linked: set[str]) -> Iterator[Element]:
    dimensions = card["dimensions"]
    yield el("p", "The checks that the published versions passed. The weakest come first.", class_="soft")
    yield el("h2", "By domain and dimension")
    yield _table(
        ["domain", *dimensions, "all"],
        [
            [
                el("th", row["domain"], scope="row"),
                *(_share(row["dimensions"][each]) for each in dimensions),
                _share(row),
            ]
            for row in card["domains"]
        ],
        label="Share of passed checks by domain and dimension",
    )
    yield el("h2", "Products")
    yield _table(
        ["product", "verdict", "checks", "freshness", "drift", "evaluated"],
        [_product_row(row, linked) for row in card["products"]],
        label="Products with their newest verdict",
    )


def _product_row(row: Mapping[str, Any], linked: set[str]) -> list[Element]:
    name = row["product"]
    link: Child = el("a", name, href=f"./{quote(file_name(name))}") if name in linked else name
    return [
        el("th", link, scope="row", class_="name"),
        el("td", _badge(row["verdict"])),
        _share(row),
        el("td", _badge(row["freshness"])),
        el("td", _badge(_drift_word(row["drifted"]))),
        el("td", _moment(row["evaluated_at"])),
    ]


def _product(page: Mapping[str, Any]) -> Iterator[Element]:
    yield el("p", page["description"], el("br"), f"Owner: {page['owner']}", class_="soft")
    yield el("dl", *_tiles(page), class_="tiles")
    if page["refused"]:
        told = "Readers keep the last good version." if page["version"] else "Nothing is published."
        yield el("p", _badge("refused"), f" Candidate {page['refused']} was refused by its checks. {told}")
    if page["trouble"]:
        yield el("p", _badge("trouble"), f" {page['trouble']}")
    yield el("h2", "Checks")
    yield el("p", _evaluated(page["evaluation"]), class_="soft")
    headings = ["check", "verdict", "observed", "unexpected", "%", "dimension", "engine", "history"]
    ranked = sorted(page["check_list"], key=lambda check: check["passed"] is not False)
    yield _table(headings, [_check(check) for check in ranked], label="Checks, failed ones first")
    yield from _drift(page)
    yield from _expected(page["expected_by"])
    yield from _evaluations(page["evaluations"])


def _tiles(page: Mapping[str, Any]) -> Iterator[Element]:
    share = f"{page['passed']} of {page['checks']}" if page["checks"] else "none yet"
    rows = "–" if page["rows"] is None else f"{page['rows']:,}"
    tiles: list[tuple[str, Child]] = [
        ("verdict", _badge(page["verdict"])),
        ("checks passed", share),
        ("freshness", _badge(page["freshness"])),
        ("drift", _badge(_drift_word(page["drifted"]))),
        ("rows", rows),
        ("published", _moment(page["published_at"])),
    ]
    for term, told in tiles:
        yield el("div", el("dt", term), el("dd", told), class_="tile")


def _check(check: Mapping[str, Any]) -> list[Element]:
    verdict = "not yet" if check["passed"] is None else "passed" if check["passed"] else _failed(check)
    called = f"{check['type']}({json.dumps(check['kwargs'], ensure_ascii=False, default=str)})"
    about = el("details", el("summary", "what it expects"), el("code", called))
    return [
        el(
            "th",
            check["name"],
            el("p", check["description"], class_="soft") if check["description"] else None,
            el("p", check["error"], class_="error") if check["error"] else None,
            about if check["kwargs"] or check["engine"] else None,
            scope="row",
            class_="name",
        ),
        el("td", _badge(verdict)),
        el("td", _number(check["observed_value"]), class_="num"),
        el("td", _number(check["unexpected_count"]), class_="num"),
        el("td", _number(check["unexpected_percent"]), class_="num"),
        el("td", check["dimension"]),
        el("td", (check["engine"] or "–").replace("_", " ")),
        el("td", _history(check) if check["history"] else "–"),
    ]


def _failed(check: Mapping[str, Any]) -> str:
    return "warning" if check["severity"] == "warning" else "failed"


def _history(check: Mapping[str, Any]) -> Element:
    points = [
        (None, None, "not evaluated")
        if point is None
        else (point["measure"], point["passed"], f"{_moment(point['at'])}: {_point(point)}")
        for point in check["history"]
    ]
    failures = sum(1 for _, passed, _ in points if passed is False)
    return bars(points, label=f"{check['name']}: {failures} of the last {len(points)} evaluations failed")


def _point(point: Mapping[str, Any]) -> str:
    of = f" ({point['partition']})" if point["partition"] is not None else ""
    return f"{'passed' if point['passed'] else 'failed'}, {_number(point['measure'])}{of}"


def _drift(page: Mapping[str, Any]) -> Iterator[Element]:
    if not page["drift"]:
        return
    yield el("h2", "Drift")
    told = "Beside the median of the past and the usual distance from it (MAD). A drift is a question, not a failed promise."
    yield el("p", told, class_="soft")
    yield from _volume(page)
    order = {"drifted": 0, "not enough history": 1, "steady": 2}
    ranked = sorted(page["drift"], key=lambda each: order[each["verdict"]])
    headings = ["figure", "column", "verdict", "now", "median", "MADs away", "compared with"]
    yield _table(headings, [_drift_row(each) for each in ranked], label="Figures beside their history")


def _volume(page: Mapping[str, Any]) -> Iterator[Element]:
    shown = page["evaluations"]
    volume = next((each for each in page["drift"] if each["metric"] == "rows"), None)
    if volume is None or len(shown) < 2:
        return
    counts = [each["rows"] for each in shown if each["rows"] is not None]
    told = [f"{_moment(each['at'])}: {_number(each['rows'])} rows, {_outcome(each)}" for each in shown]
    points = [(each["rows"], each["published"], text) for each, text in zip(shown, told, strict=True)]
    between = f"{min(counts):,} to {max(counts):,}"
    usual = f" The dashed line: the median of what the newest is compared with, {_compared(volume)}."
    caption = f"Rows of the last {len(shown)} evaluations: {between}.{usual if volume['median'] is not None else ''}"
    caption += " A ring was not published." if not all(each["published"] for each in shown) else ""
    chart = line(points, label=caption, usual=volume["median"])
    yield el("div", el("p", caption, class_="soft"), chart, class_="panel")


def _drift_row(each: Mapping[str, Any]) -> list[Element]:
    numbers = (each["figure"], each["median"], each["deviations"])
    return [
        el("th", each["metric"], scope="row"),
        el("td", each["column"] if each["column"] is not None else "the table"),
        el("td", _badge(each["verdict"])),
        *(el("td", _number(value), class_="num") for value in numbers),
        el("td", _compared(each)),
    ]


def _expected(expected: Sequence[Mapping[str, Any]]) -> Iterator[Element]:
    if not expected:
        return
    yield el("h2", "Expected by others")
    yield _table(
        ["consumer", "check", "verdict"],
        [
            [
                el("th", each["consumer"], scope="row"),
                el("td", each["name"]),
                el(
                    "td", _badge("not yet" if each["passed"] is None else "passed" if each["passed"] else _failed(each))
                ),
            ]
            for each in expected
        ],
        label="What other domains expect of this product",
    )


def _evaluations(evaluations: Sequence[Mapping[str, Any]]) -> Iterator[Element]:
    if not evaluations:
        return
    yield el("h2", "Evaluations")
    shown = list(reversed(evaluations))[:EVALUATIONS_SHOWN_MAX]
    yield _table(
        ["when", "version", "partition", "outcome", "rows", "checks"],
        [
            [
                el("th", _moment(each["at"]), scope="row"),
                el("td", el("code", each["version"])),
                el("td", each["partition"] if each["partition"] is not None else "–"),
                el("td", _badge("passed" if each["published"] else "refused", _outcome(each))),
                el("td", _number(each["rows"]), class_="num"),
                _share(each),
            ]
            for each in shown
        ],
        label="Evaluations, newest first",
        caption=f"The newest {len(shown)} of {len(evaluations)} that are kept.",
    )


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[Element]], *, label: str, caption: str | None = None
) -> Element:
    """It scrolls by itself where it is wide, with the arrow keys too."""
    numbers = {at for row in rows for at, cell in enumerate(row) if cell.get("class") == "num"}
    head = [
        el("th", heading, scope="col", class_="num" if at in numbers else None) for at, heading in enumerate(headings)
    ]
    body = [el("tr", *row) for row in rows] or [el("tr", el("td", "nothing yet", colspan=str(len(headings))))]
    told = el("caption", caption) if caption else None
    table = el("table", told, el("thead", el("tr", *head)), el("tbody", *body))
    return el("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)


def _badge(word: str, shown: str | None = None) -> Element:
    kind, mark = _KINDS.get("drifted" if word.endswith("drifted") else word, ("none-yet", ""))
    return el("span", f"{mark} {shown or word}".strip(), class_=f"badge {kind}")


def _share(share: Mapping[str, Any]) -> Element:
    """Rounded down: 100 % means all of them."""
    if not share["checks"]:
        return el("td", "–", class_="cell soft")
    percent = share["passed"] * 100 // share["checks"]
    kind = "meter" if percent == 100 else "meter mid" if percent >= 80 else "meter low"
    meter = el("span", el("i", style=f"width:{percent}%"), class_=kind, aria_hidden="true")
    return el(
        "td", f"{percent} % ", el("small", f"{share['passed']}/{share['checks']}", class_="soft"), meter, class_="cell"
    )


def _drift_word(drifted: int | None) -> str:
    return "not enough history" if drifted is None else f"{drifted} drifted" if drifted else "steady"


def _evaluated(evaluation: Mapping[str, Any] | None) -> str:
    if evaluation is None:
        return "No history yet: it begins with the next publication."
    of = f", partition {evaluation['partition']}" if evaluation["partition"] is not None else ""
    return f"Evaluated {_moment(evaluation['at'])}: version {evaluation['version']}{of}, {_outcome(evaluation)}."


def _outcome(evaluation: Mapping[str, Any]) -> str:
    return "published" if evaluation["published"] else "not published"


def _compared(drift: Mapping[str, Any]) -> str:
    return f"{drift['compared']} ({drift['compared_with']})"


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "–"


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (
            "–" if value is None else json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)
        )
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value.is_integer() else f"{value:,.4g}"
