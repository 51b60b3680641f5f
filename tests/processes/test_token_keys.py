"""Keys of tokens on one machine: made once, for all domains, and kept."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mesh_defs.errors import StorageError
from mesh_defs.processes.token_keys import make_token_keys
from mesh_defs.settings import Settings, load_settings, read_secrets
from tests.factories import a_column, a_contract, a_product

TOKENISED = [
    a_product(a_contract("people.persons", columns=(a_column("email", token="email"), a_column("id", token="person")))),
    a_product(a_contract("shop.customers", columns=(a_column("email", token="email"), a_column("name")))),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "mesh.yaml").touch()
    return load_settings({"MESH_ROOT": str(tmp_path)})


def file_of(settings: Settings) -> Path:
    return settings.secrets / "tokens.env"


def test_each_kind_gets_one_key_that_only_its_owner_may_read(settings: Settings) -> None:
    assert make_token_keys(settings, TOKENISED) == ("email", "person")
    keys = read_secrets(file_of(settings))
    assert set(keys) == {"MESH_TOKENS_EMAIL", "MESH_TOKENS_PERSON"}
    assert all(len(bytes.fromhex(key)) == 32 for key in keys.values())
    assert len(set(keys.values())) == 2
    assert file_of(settings).stat().st_mode & 0o777 == 0o600
    assert file_of(settings).parent.stat().st_mode & 0o777 == 0o700
    assert load_settings({"MESH_ROOT": str(settings.root)}).token_key("email") == keys["MESH_TOKENS_EMAIL"]


def test_a_key_that_is_there_is_never_replaced_nor_anything_else_in_the_file(settings: Settings) -> None:
    make_token_keys(settings, TOKENISED[1:])
    before = "# kept by hand\n" + file_of(settings).read_text()
    file_of(settings).write_text(before.rstrip("\n"))
    assert make_token_keys(settings, TOKENISED) == ("person",)
    after = file_of(settings).read_text()
    assert after.startswith(before)
    assert make_token_keys(settings, TOKENISED) == ()
    assert file_of(settings).read_text() == after


def test_many_at_once_make_one_key(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: make_token_keys(settings, TOKENISED), range(16)))
    assert sorted(kind for each in made for kind in each) == ["email", "person"]


def test_nothing_is_made_for_another_environment_for_a_key_that_is_given_or_for_no_token(settings: Settings) -> None:
    assert make_token_keys(replace(settings, environment="production"), TOKENISED) == ()
    assert make_token_keys(replace(settings, overrides={"MESH_TOKENS_EMAIL": "x"}), TOKENISED[1:]) == ()
    assert make_token_keys(settings, [a_product()]) == ()
    assert not settings.secrets.exists()


def test_a_folder_that_cannot_be_written_is_told(settings: Settings) -> None:
    settings.home.mkdir()
    settings.secrets.touch()
    with pytest.raises(StorageError, match=r"tokens.env: the keys of tokens could not be written: File exists"):
        make_token_keys(settings, TOKENISED)
