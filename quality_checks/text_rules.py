"""Expectations about what text looks like: regular expressions, and SQL's LIKE.

REGEXP_FULL_MATCH where the pattern allows: a twelfth of REGEXP_MATCHES' CPU on repeating values, equal on others.
"""

from typing import Any

from sqlglot import exp

from quality_checks.arguments import Argument, Kwargs, is_list
from quality_checks.columns import Column
from quality_checks.families import is_text
from quality_checks.patterns import pattern_for_re2
from quality_checks.row_rules import row_rule


def _is_regex(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _are_regexes(value: Any) -> bool:
    return is_list(value) and len(value) > 0 and all(map(_is_regex, value))


def _are_likes(value: Any) -> bool:
    return is_list(value) and len(value) > 0 and all(map(is_text, value))


_REGEX = Argument(name="regex", wants="a regular expression", accepts=_is_regex, required=True)
_REGEXES = Argument(name="regex_list", wants="a list of regular expressions", accepts=_are_regexes, required=True)
_LIKE = Argument(name="like_pattern", wants="a pattern with % and _", accepts=is_text, required=True)
_LIKES = Argument(name="like_pattern_list", wants="a list of patterns with % and _", accepts=_are_likes, required=True)
_MATCH_ON = Argument(name="match_on", wants="'any' or 'all'", accepts=lambda value: value in ("any", "all"))


@row_rule("expect_column_values_to_match_regex", _REGEX)
def match_regex(column: Column, kwargs: Kwargs) -> exp.Expr:
    """Values in which the pattern is not found are unexpected."""
    return exp.not_(_found(column, kwargs["regex"]))


@row_rule("expect_column_values_to_not_match_regex", _REGEX)
def not_match_regex(column: Column, kwargs: Kwargs) -> exp.Expr:
    """Values in which the pattern is found are unexpected."""
    return _found(column, kwargs["regex"])


@row_rule("expect_column_values_to_match_regex_list", _REGEXES, _MATCH_ON)
def match_regex_list(column: Column, kwargs: Kwargs) -> exp.Expr:
    """Values in which none of the patterns is found are unexpected; with match_on 'all', those that lack one."""
    return exp.not_(_matched([_found(column, regex) for regex in kwargs["regex_list"]], kwargs))


@row_rule("expect_column_values_to_not_match_regex_list", _REGEXES)
def not_match_regex_list(column: Column, kwargs: Kwargs) -> exp.Expr:
    """Values in which one of the patterns is found are unexpected."""
    return exp.or_(*(_found(column, regex) for regex in kwargs["regex_list"]))


@row_rule("expect_column_values_to_match_like_pattern", _LIKE)
def match_like(column: Column, kwargs: Kwargs) -> exp.Expr:
    """Values unlike the pattern are unexpected: % stands for any text, _ for one character; case counts."""
    return exp.not_(_like(column, kwargs["like_pattern"]))


@row_rule("expect_column_values_to_not_match_like_pattern", _LIKE)
def not_match_like(column: Column, kwargs: Kwargs) -> exp.Expr:
    """Values like the pattern are unexpected."""
    return _like(column, kwargs["like_pattern"])


@row_rule("expect_column_values_to_match_like_pattern_list", _LIKES, _MATCH_ON)
def match_like_list(column: Column, kwargs: Kwargs) -> exp.Expr:
    """Values unlike all of the patterns are unexpected; with match_on 'all', those unlike one."""
    return exp.not_(_matched([_like(column, pattern) for pattern in kwargs["like_pattern_list"]], kwargs))


@row_rule("expect_column_values_to_not_match_like_pattern_list", _LIKES)
def not_match_like_list(column: Column, kwargs: Kwargs) -> exp.Expr:
    """Values like one of the patterns are unexpected."""
    return exp.or_(*(_like(column, pattern) for pattern in kwargs["like_pattern_list"]))


def _matched(each: list[exp.Expr], kwargs: Kwargs) -> exp.Expr:
    return exp.and_(*each) if kwargs.get("match_on") == "all" else exp.or_(*each)


def _found(column: Column, regex: str) -> exp.Expr:
    column.require("text", doing="match a text column")
    pattern = pattern_for_re2(regex)
    function = "REGEXP_FULL_MATCH" if pattern.anchored else "REGEXP_MATCHES"
    return exp.Anonymous(this=function, expressions=[column.compared, exp.Literal.string(pattern.re2)])


def _like(column: Column, pattern: str) -> exp.Expr:
    column.require("text", doing="compare a text column")
    return exp.Like(this=column.compared, expression=exp.Literal.string(pattern))
