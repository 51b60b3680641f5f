"""What the environment says, and where the mesh is found."""

from pathlib import Path

import pytest

from mesh_defs.errors import NotFoundError
from mesh_defs.settings import find_root, load_settings, storage_variable, warehouse_variable
from tests.factories import write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "mesh", "mesh.yaml", "format: 1\n")
    return tmp_path / "mesh"


def test_everything_has_a_default(root: Path) -> None:
    settings = load_settings({}, start=root)
    assert (settings.root, settings.home, settings.dagster_home) == (root, root / ".mesh", root / ".mesh" / "dagster")
    assert (settings.environment, settings.principal, settings.purpose) == ("local", None, None)
    assert settings.snapshot_file == root / ".mesh" / "catalog" / "snapshot.json"
    assert settings.storage_root("events", "storage/events") == root / ".mesh" / "storage" / "events"


def test_an_empty_value_counts_as_none(root: Path) -> None:
    names = ("MESH_ROOT", "MESH_HOME", "MESH_ENV", "MESH_PRINCIPAL", "MESH_PURPOSE", "DAGSTER_HOME", "MESH_X_STORAGE")
    assert load_settings(dict.fromkeys(names, ""), start=root) == load_settings({}, start=root)


def test_the_environment_overrides(root: Path, tmp_path: Path) -> None:
    given = {
        "MESH_ROOT": str(root),
        "MESH_HOME": str(tmp_path / "state"),
        "MESH_ENV": "prod",
        "MESH_PRINCIPAL": "ada",
        "MESH_PURPOSE": "measurement",
        "MESH_EVENTS_STORAGE": str(tmp_path / "lake"),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "HOME_OF_SOMEBODY": "x",
    }
    settings = load_settings(given, start=tmp_path)
    assert (settings.root, settings.home, settings.environment) == (root, tmp_path / "state", "prod")
    assert (settings.principal, settings.purpose) == ("ada", "measurement")
    assert settings.dagster_home == tmp_path / "dagster"
    assert settings.storage_root("events", "storage/events") == tmp_path / "lake"
    assert settings.storage_root("clicks", "storage/clicks") == tmp_path / "state" / "storage" / "clicks"
    assert "HOME_OF_SOMEBODY" not in settings.overrides


def test_a_relative_path_is_meant_from_the_root_wherever_one_stands(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"MESH_HOME": "state", "MESH_EVENTS_STORAGE": "../lake", "DAGSTER_HOME": "d"}
    (root / "domains").mkdir()
    for folder in (root, root / "domains"):
        monkeypatch.chdir(folder)
        settings = load_settings(given)
        assert settings.home == root / "state"
        assert settings.storage_root("events", "x") == tmp_path / "lake"
        assert settings.dagster_home == root / "d"


def test_the_ledger_lies_at_home_unless_told_otherwise(root: Path) -> None:
    settings = load_settings({}, start=root)
    assert settings.ledger_url == f"sqlite:///{root}/.mesh/ledger.sqlite"
    assert settings.ledger_head == root / ".mesh" / "ledger.head"
    given = {"MESH_LEDGER": "postgresql://mesh:hush@records/ledger", "MESH_LEDGER_HEAD": "../heads/ledger"}
    told = load_settings(given, start=root)
    assert told.ledger_url == "postgresql://mesh:hush@records/ledger"
    assert told.ledger_head == root.parent / "heads" / "ledger"
    assert "hush" not in repr(told)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("sqlite:///state/x.sqlite", "sqlite:///{root}/state/x.sqlite"),
        ("sqlite:////srv/x.sqlite", "sqlite:////srv/x.sqlite"),
        ("sqlite+pysqlite:///x", "sqlite+pysqlite:///{root}/x"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_a_ledgers_relative_path_is_meant_from_the_root_too(root: Path, given: str, meant: str) -> None:
    assert load_settings({"MESH_LEDGER": given}, start=root).ledger_url == meant.format(root=root)


def test_a_code_locations_process_is_known(root: Path) -> None:
    assert not load_settings({}, start=root).is_location
    assert load_settings({"MESH_LOCATION": "events"}, start=root).is_location


def test_a_tilde_is_the_home_of_the_user_and_an_unknown_user_no_crash(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert load_settings({"MESH_HOME": "~/mesh"}, start=root).home == Path("/home/ada/mesh")
    assert (
        load_settings({"MESH_HOME": "~nobody_of_that_name/x"}, start=root).home == root / "~nobody_of_that_name" / "x"
    )


def test_reads_the_real_environment_when_none_is_given(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_PRINCIPAL", "grace")
    assert load_settings(start=root).principal == "grace"


def test_the_root_is_found_from_anywhere_within(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = root / "domains" / "events" / "products"
    deep.mkdir(parents=True)
    assert find_root(deep) == root
    monkeypatch.chdir(deep)
    assert load_settings({}).root == root


def test_the_nearest_root_counts(root: Path) -> None:
    write(root / "inner", "mesh.yaml", "format: 1\n")
    assert find_root(root / "inner") == root / "inner"


def test_a_folder_called_mesh_yaml_is_no_mesh(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").mkdir()
    with pytest.raises(NotFoundError):
        find_root(tmp_path)


def test_outside_a_mesh_the_mend_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no mesh\.yaml at or above .* — run this inside a mesh, or set MESH_ROOT"):
        load_settings({}, start=tmp_path)


def test_a_root_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"MESH_ROOT is .*nowhere, which holds no mesh\.yaml"):
        load_settings({"MESH_ROOT": str(tmp_path / "nowhere")})


def test_each_domain_has_its_variables() -> None:
    assert storage_variable("ad_events") == "MESH_AD_EVENTS_STORAGE"
    assert warehouse_variable("ad_events") == "MESH_AD_EVENTS_WAREHOUSE"
