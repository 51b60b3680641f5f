"""What a column probably is, from its name and the shapes of its values. Suggestions for a steward, never decisions. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mesh_defs.catalog.profile import Measured, Profile
from mesh_defs.model.contract import Classification, Granularity, Identifies

_SHARE_MIN = 0.8
# Words in a column's name -> how its values would be classed. The first that fits counts.
_NAMES: Sequence[tuple[str, Classification, str]] = (
    (r"e_?mail|mail_?(addr|address)", "restricted", "an e-mail address"),
    (r"phone|mobile|telefon|tel|fax|msisdn", "restricted", "a telephone number"),
    (
        r"(first|last|full|given|family|middle|maiden|sur|nick|user|person|customer|contact)_?name|vorname|nachname",
        "restricted",
        "a person's name",
    ),
    (
        r"ssn|social_security|passport|iban|credit_?card|card_?(no|number)|tax_?(id|no)|national_id|licen[cs]e_?(no|plate)",
        "restricted",
        "an official or bank number",
    ),
    (r"(ip|ipv4|ipv6|remote|client)(_?addr(ess)?)?|ip_.*", "restricted", "a network address"),
    (r"street|address|addr|addr_?line\d?|strasse", "restricted", "a postal address"),
    (r"password|passwd|pwd|secret|token|api_?key", "restricted", "a secret, which has no place in a product"),
    (r"birth_?(date|day)|date_of_birth|dob|born(_on)?|birthdate|birthday", "restricted", "a date of birth"),
    (
        r"birth_?year|year_of_birth|age|gender|sex|salary|income|religion|ethnicity|health|diagnosis",
        "confidential",
        "a trait of a person",
    ),
    (
        r"zip|zip_?code|postal_?code|post_?code|plz|lat|latitude|lon|lng|longitude|geo",
        "confidential",
        "a place of a person",
    ),
    (r"(device|cookie|session|advertising|idfa|gaid)(_?id)?|user_?agent", "confidential", "a device of a person"),
)
_SHAPES: Sequence[tuple[str, Classification, str]] = (
    ("email", "restricted", "an e-mail address"),
    ("iban", "restricted", "a bank number"),
    ("card", "restricted", "a card number"),
    ("ip", "restricted", "a network address"),
    ("phone", "restricted", "a telephone number"),
    ("person_name", "restricted", "a person's name"),
    ("address", "restricted", "a postal address"),
)
_PERSON = re.compile(
    r"(person|user|customer|member|subscriber|client|visitor|household|contact|patient|employee|people)_?(id|key|uuid|no|number)?"
)
_CREATIVE = re.compile(r"(creative|creative_file|ad_file|film|asset_file|banner)_?(id|key|uuid)|file_id")
_EVENT = re.compile(r"(event|impression|click|order|transaction|session|visit|view|request|log)_?(id|key|uuid)")
_TIME = re.compile(r".*(_at|_on|_time|_ts|timestamp)|at|ts|time|date|day|timestamp|datetime|occurred|shown|logged")
_NOT_EVENT = re.compile(r"(created|updated|modified|deleted|registered|loaded|ingested|birth|valid|expires?|synced).*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What a column is suggested to be, and why, in words for its steward."""

    classification: Classification = "internal"
    why: str = ""
    identifies: Identifies | None = None


def suggestions(profile: Profile, table: str) -> dict[str, Suggestion]:
    """Return one suggestion for each column. `table` helps where a column is only called `id` or `name`."""
    found = {each.name: _classified(each, table) for each in profile.columns}
    person = next((each for each in profile.columns if _is_person(each, table)), None)
    marks: dict[str, Identifies] = {}
    if person:
        marks[person.name] = "person"
        if found[person.name].classification == "internal":
            found[person.name] = Suggestion(classification="confidential", why="it tells persons apart")
    for each in profile.columns:
        whole = each.filled == profile.rows and profile.rows > 0
        if whole and _CREATIVE.fullmatch(each.name) and "creative_file" not in marks.values():
            marks.setdefault(each.name, "creative_file")
        if whole and _EVENT.fullmatch(each.name) and each.unique(profile.rows) and "event" not in marks.values():
            marks.setdefault(each.name, "event")
    if time := _event_time(profile):
        marks.setdefault(time.name, "event_time")
    return {
        name: Suggestion(classification=each.classification, why=each.why, identifies=marks.get(name))
        for name, each in found.items()
    }


def granularity(profile: Profile, marks: dict[str, Suggestion]) -> Granularity:
    """Events where rows have a time and are not one to a person; then persons, creative files, and else aggregates."""
    keys = {kind: name for name, each in marks.items() if (kind := each.identifies)}
    required = {each.name for each in profile.columns if each.filled == profile.rows > 0}
    if profile.keys == (keys.get("person"),) and keys["person"] in required:
        return "audience"
    if profile.keys == (keys.get("creative_file"),) and keys["creative_file"] in required:
        return "creative"
    if keys.get("event_time") in required and {"event", "person"} & keys.keys():
        return "event"
    return "aggregate"


def _classified(column: Measured, table: str) -> Suggestion:
    for form, class_, what in _NAMES:
        if re.fullmatch(rf"(.*_)?({form})(_.*)?", column.name) and not _only_counts(column):
            return Suggestion(classification=class_, why=f"its name says {what}")
    if column.name == "name" and _PERSON.fullmatch(_singular(table)):
        return Suggestion(classification="restricted", why="its name says a person's name")
    for shape, class_, what in _SHAPES:
        telling = column.distinct is not None and column.distinct > 1
        if telling and column.shapes.get(shape, 0.0) >= _SHARE_MIN:
            return Suggestion(classification=class_, why=f"its values look like {what}")
    return Suggestion()


def _only_counts(column: Measured) -> bool:
    return column.type == "BOOLEAN" or column.name.startswith(("count_", "number_of_", "has_", "is_", "n_"))


def _is_person(column: Measured, table: str) -> bool:
    if column.type.startswith(("DATE", "TIMESTAMP", "BOOLEAN", "FLOAT", "DOUBLE")):
        return False
    named = column.name not in ("person", "user", "client", "contact", "people") and _PERSON.fullmatch(column.name)
    alone = column.name in ("id", "key", "uuid") and _PERSON.fullmatch(_singular(table))
    return bool(named and re.search(r"(id|key|uuid|no|number)$", column.name)) or bool(alone)


def _event_time(profile: Profile) -> Measured | None:
    times = [
        each
        for each in profile.columns
        if each.type.startswith(("DATE", "TIMESTAMP"))
        and each.filled == profile.rows > 0
        and _TIME.fullmatch(each.name)
        and not _NOT_EVENT.fullmatch(each.name)
    ]
    return min(times, key=lambda each: not each.type.startswith("TIMESTAMP"), default=None)


def _singular(table: str) -> str:
    if table in ("people", "persons"):
        return "person"
    return table.removesuffix("s")
