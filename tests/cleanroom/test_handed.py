"""What a party hands over of what all signed arrives as it was, or is refused."""

from pathlib import Path

import pytest

from mesh_defs.cleanroom.handed import hand_over, taken_over
from mesh_defs.errors import NotFoundError, StorageError


def test_it_arrives_as_it_was(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    hand_over(one, "reach", [b"\0signed", b""])
    hand_over(other, "reach", [b"more"])
    assert taken_over([one, other], "reach") == (b"\0signed", b"", b"more")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no kept signatures"),
        ("[]", "no kept signatures"),
        ('{"format": 1, "room": "reach", "kept": ["%"]}', "no kept signatures"),
        ('{"format": 1, "room": "reach", "kept": 7}', "no kept signatures"),
        ('{"format": 1, "room": "other", "kept": []}', "no signatures of room 'reach'"),
        ('{"format": 2, "room": "reach", "kept": [""]}', "in format 1"),
        ('{"format": 1, "room": "reach", "kept": []}', "no signatures"),
    ],
)
def test_what_is_none_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "kept.json"
    file.write_text(text)
    with pytest.raises(StorageError, match=why):
        taken_over([file], "reach")


def test_a_missing_file_and_one_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nowhere"):
        taken_over([tmp_path / "nowhere"], "reach")
    with pytest.raises(StorageError, match="No such file"):
        hand_over(tmp_path / "no" / "folder", "reach", [b"signed"])


def test_nothing_is_not_handed_over(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="keeps no signatures"):
        hand_over(tmp_path / "kept.json", "reach", ())
    assert not list(tmp_path.iterdir())
