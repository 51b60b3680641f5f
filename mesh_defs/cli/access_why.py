"""How the reasons of `mesh access why` look: in words for people, as JSON values for programs."""

from collections.abc import Mapping
from typing import Any

import click

from mesh_defs.cli.access_told import print_told, when
from mesh_defs.cli.render import plain, print_json
from mesh_defs.query.platform import Platform
from mesh_defs.query.why import Question, Why, shows_row, why, why_row


def print_why(question: Question, platform: Platform, *, as_json: bool) -> bool:
    """Say why; whether anything is allowed."""
    found = why(question, platform)
    if as_json:
        print_json([_why_json(each) for each in found])
    for each in () if as_json else found:
        _print_why(question, each)
    return any(each.allowed for each in found)


def print_row(question: Question, key: Mapping[str, str], platform: Platform, *, as_json: bool) -> bool:
    """Say why one row is shown or not; whether it is."""
    if question.by is None:
        shown = shows_row(question, key, platform)
        if as_json:
            print_json({"shown": shown})
        else:
            click.echo("shown" if shown else "not shown, or not there")
        return shown
    parts = why_row(question, key, platform)
    shown = all(part.holds for part in parts)
    if as_json:
        rules = [{"source": p.source, "condition": p.condition, "holds": p.holds} for p in parts]
        print_json({"shown": shown, "parts": rules})
        return shown
    click.echo(f"{'shown' if shown else 'not shown'} to {question.principal}")
    words = {True: "true", False: "false", None: "unknown"}
    for part in parts:
        click.echo(f"  {words[part.holds]:<7}  {plain(part.condition)} ({part.source})")
    return shown


def _print_why(question: Question, each: Why) -> None:
    purpose = f" for {each.purpose}" if each.purpose else ""
    until = f", until {when(each.until)}" if each.until else ""
    allowed = "may read" if each.allowed else "may not read"
    click.echo(f"{question.principal} {allowed} {question.product}{purpose}: {each.reason}{until}")
    if each.shown:
        print_told(each.shown)
    for line in each.helps:
        click.echo(f"  {plain(line)}")


def _why_json(each: Why) -> dict[str, Any]:
    shown = {"columns": each.shown.columns, "rows": each.shown.rows} if each.shown else {}
    told = {"purpose": each.purpose, "allowed": each.allowed, "reason": each.reason, "until": each.until}
    return {**told, **shown, "helps": each.helps}
