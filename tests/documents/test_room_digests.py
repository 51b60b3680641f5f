"""Digests are written into an agreement's text, and nothing else of it changes."""

import pytest
import yaml

from mesh_defs.documents.room_digests import with_digests
from mesh_defs.errors import DeclarationError

BLOCK = """# what we agreed
tables:
  - name: a.one   # ours
    party: a
  # the partner's
  - party: b
    name: b.two
    digest: old
title: ok
"""


def test_writes_and_replaces_and_keeps_comments() -> None:
    text = with_digests(BLOCK, {"a.one": "aa", "b.two": "bb"})
    assert [table["digest"] for table in yaml.safe_load(text)["tables"]] == ["aa", "bb"]
    assert "# ours" in text and "# the partner's" in text and "# what we agreed" in text
    assert with_digests(text, {"a.one": "aa", "b.two": "bb"}) == text


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_in_one_line_too(quote: str) -> None:
    text = f"tables: [{{name: {quote}a.one{quote}, party: a}}, {{party: b, name: b.two}}]\n"
    told = yaml.safe_load(with_digests(text, {"a.one": "aa", "b.two": "bb"}))["tables"]
    assert told == [{"name": "a.one", "party": "a", "digest": "aa"}, {"name": "b.two", "party": "b", "digest": "bb"}]


def test_a_table_that_is_not_there_is_named() -> None:
    with pytest.raises(DeclarationError, match=r"there is no table c\.three"):
        with_digests(BLOCK, {"c.three": "cc"})
