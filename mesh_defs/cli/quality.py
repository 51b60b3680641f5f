"""`mesh quality`: how good the data is, by domain and dimension, or check by check with its past. Imports no Dagster."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from mesh_defs.catalog.scorecard import quality_page, scorecard
from mesh_defs.cli.render import age, plain, print_fields, print_json, print_table
from mesh_defs.errors import StorageError
from mesh_defs.model.mesh import Mesh
from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import Settings, load_settings
from quality_checks.drift import HISTORY_MIN, WEEKDAY_HISTORY_MIN
from quality_checks.sparkline import sparkline

_MARKS = {True: "ok", False: "FAILED", None: "not yet"}


@click.command()
@click.argument("product", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.option(
    "--pages",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the same as HTML pages that load nothing from the network.",
)
def quality(product: str | None, as_json: bool, pages: Path | None) -> None:
    """Show how good the data is: a scorecard of all domains, or every check of PRODUCT with its history and what drifts.

    In a history, ▁ to █ is the share of unexpected rows or the observed value, ✗ a failure, · nothing known.
    """
    settings, now = load_settings(), datetime.now(UTC)
    mesh = open_mesh(settings)
    page = quality_page(mesh, settings, product, now=now) if product else None
    card = scorecard(mesh, settings, now=now) if page is None or pages else None
    if pages and card:
        _write(pages, card, [page] if page else _all_pages(mesh, settings, now), now)
    if as_json:
        print_json(page or card)
    elif not pages:
        _print_page(page) if page else _print_card(card or {})
    for file in (page or card or {})["damaged"]:
        sys.stderr.write(f"! {file} cannot be read and is left out — remove it\n")


def _all_pages(mesh: Mesh, settings: Settings, now: datetime) -> list[dict[str, Any]]:
    return [quality_page(mesh, settings, name, now=now) for name in mesh.products]


def _write(folder: Path, card: dict[str, Any], pages: list[dict[str, Any]], now: datetime) -> None:
    """Each page in one step: who has the folder open in a browser sees the old page or the new one."""
    from mesh_defs.storage import durable
    from quality_checks.pages import INDEX, data_docs

    try:
        durable.make_folder(folder)
        for name, text in data_docs(card, pages, written_at=now).items():
            durable.replace(folder / name, text.encode())
    except OSError as error:
        what = f"the pages could not be written: {error.strerror}"
        raise StorageError(what, where=str(folder), fix="name a folder that you may write to") from None
    sys.stderr.write(f"{len(pages)} products and the scorecard: {(folder / INDEX).resolve().as_uri()}\n")


def _print_card(card: dict[str, Any]) -> None:
    dimensions = card["dimensions"]
    print_table(
        ("domain", *dimensions, "checks"),
        [
            (row["domain"], *(_percent(row["dimensions"][dim]) for dim in dimensions), _passed(row))
            for row in card["domains"]
        ],
        right=(*dimensions, "checks"),
    )
    sys.stdout.write("\n")
    print_table(
        ("product", "verdict", "checks", "freshness", "drift", "evaluated"),
        [
            (
                row["product"],
                row["verdict"],
                _passed(row),
                row["freshness"],
                "not enough history"
                if row["drifted"] is None
                else f"{row['drifted']} drifted"
                if row["drifted"]
                else "steady",
                age(row["evaluated_at"]) if row["evaluated_at"] else "no history",
            )
            for row in card["products"]
        ],
        right=("checks",),
    )


def _print_page(page: dict[str, Any]) -> None:
    evaluation = page["evaluation"]
    sys.stdout.write(f"{page['product']}  {page['verdict']}\n{plain(page['description'])}\n\n")
    print_fields(
        {
            "owner": page["owner"],
            "version": page["version"] and f"{page['version']}, {_passed(page)} checks passed, {page['freshness']}",
            "refused": page["refused"] and f"{page['refused']}; readers keep the last good version",
            "trouble": page["trouble"],
            "evaluated": _evaluated(evaluation)
            if evaluation
            else "no history yet: it begins with the next publication",
        }
    )
    sys.stdout.write("\n")
    print_table(
        ("check", "verdict", "observed", "unexpected", "%", "engine", "dimension", "history"),
        [
            (
                check["name"],
                _verdict(check),
                _observed(check["observed_value"]),
                check["unexpected_count"],
                _share(check["unexpected_percent"]),
                check["engine"],
                check["dimension"],
                sparkline([point and (point["measure"], point["passed"]) for point in check["history"]]),
            )
            for check in page["check_list"]
        ],
        right=("observed", "unexpected", "%"),
    )
    for check in page["check_list"]:
        if check["error"]:
            sys.stdout.write(f"! {check['name']}: {plain(check['error'])}\n")
    _print_drift(page["drift"])
    if page["expected_by"]:
        sys.stdout.write("\n")
        print_table(
            ("expected by", "check", "verdict"),
            [(each["consumer"], each["name"], _verdict(each)) for each in page["expected_by"]],
        )


def _print_drift(drift: list[dict[str, Any]]) -> None:
    """The table's rows always, of the columns what drifted; the rest is counted, and in full in the JSON."""
    if not drift:
        return
    shown = [each for each in drift if each["column"] is None or each["verdict"] == "drifted"]
    sys.stdout.write("\n")
    print_table(
        ("figure", "column", "verdict", "now", "median", "MADs away", "compared with"),
        [
            (
                each["metric"],
                each["column"],
                each["verdict"],
                _figure(each["figure"]),
                _figure(each["median"]),
                _figure(each["deviations"]),
                f"{each['compared']} ({each['compared_with']})",
            )
            for each in shown
        ],
        right=("now", "median", "MADs away"),
    )
    counted = {verdict: sum(1 for each in drift if each["verdict"] == verdict) for verdict in ("drifted", "steady")}
    unknown = len(drift) - sum(counted.values())
    told = f"{counted['drifted']} drifted, {counted['steady']} steady, {unknown} without enough history"
    needs = f" (it takes {WEEKDAY_HISTORY_MIN} of the same weekday, or {HISTORY_MIN} in all)" if unknown else ""
    sys.stdout.write(f"{told}{needs}\n")


def _evaluated(evaluation: dict[str, Any]) -> str:
    of = f" of {evaluation['partition']}" if evaluation["partition"] is not None else ""
    rows = f", {evaluation['rows']:,} rows" if evaluation["rows"] is not None else ""
    outcome = "published" if evaluation["published"] else "not published"
    return f"{age(evaluation['at'])}: version {evaluation['version']}{of}{rows}, {outcome}"


def _verdict(check: dict[str, Any]) -> str:
    return "warning" if check["passed"] is False and check["severity"] == "warning" else _MARKS[check["passed"]]


def _passed(row: dict[str, Any]) -> str:
    return f"{row['passed']}/{row['checks']}"


def _percent(share: dict[str, Any]) -> str:
    """Rounded down: 100 % means all of them."""
    return f"{share['passed'] * 100 // share['checks']} %" if share["checks"] else "–"


def _observed(value: Any) -> Any:
    """Six digits of a fraction; all of them are in the JSON."""
    if isinstance(value, list):
        return tuple(map(_observed, value))
    return f"{value:.6g}" if isinstance(value, float) else value


def _share(percent: float | None) -> str | None:
    return None if percent is None else f"{percent:.3g}"


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}" if value == int(value) else f"{value:.4g}"
