"""Each domain sweeps its own storages, in its own location: the job is there, runs nightly, and removes what is old."""

from dataclasses import replace
from pathlib import Path

import dagster as dg

from mesh_defs.authoring.folder import read_folder
from mesh_defs.authoring.sweep import sweep_schedule
from mesh_defs.catalog.loader import load_definitions
from mesh_defs.documents.standards import read_standards
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.refresh.jobs import platform_definitions
from mesh_defs.settings import Settings
from tests.meshes import refresh, settings_of, two_domains


def definitions(settings: Settings, name: str) -> dg.Definitions:
    return load_definitions(next(each for each in read_workspace(settings.root) if each.name == name))


def test_every_domain_sweeps_nightly_and_the_platform_does_not(shared_mesh: Settings) -> None:
    for name in ("people", "shop"):
        schedule = definitions(shared_mesh, name).resolve_schedule_def(f"{name}_sweep_schedule")
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
        assert schedule.job_name == f"{name}_sweep"
    assert not [job for job in platform_definitions().resolve_all_job_defs() if "sweep" in job.name]


def test_the_job_removes_what_outlived_the_retention_of_its_own_domain_only(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    (settings.root / "mesh.yaml").open("a").write("retention_seconds: 0.2\nquery: {seconds_max: 0.1}\n")
    refresh(settings)
    refresh(settings)
    mesh = open_mesh(settings)
    parts = {name: list((settings.home / "storage" / name).rglob("parts/*")) for name in ("people", "shop")}
    before = {name: open_storage(product, settings).current() for name, product in mesh.products.items()}
    job = definitions(settings, "people").resolve_job_def("people_sweep")
    assert job.execute_in_process(instance=dg.DagsterInstance.ephemeral()).success
    after = {name: open_storage(product, settings).current() for name, product in mesh.products.items()}
    assert after == before, "what is served stays"
    left = {name: list((settings.home / "storage" / name).rglob("parts/*")) for name in parts}
    assert left["shop"] == parts["shop"]
    assert len(left["people"]) < len(parts["people"])


def test_a_store_that_does_not_answer_fails_the_job(shared_mesh: Settings) -> None:
    elsewhere = replace(shared_mesh, environment="nowhere")
    declared = read_folder(shared_mesh.root / "domains" / "people", root=shared_mesh.root)
    schedule = sweep_schedule(declared, read_standards(shared_mesh.root), elsewhere)
    instance = dg.DagsterInstance.ephemeral()
    assert not schedule.job.execute_in_process(instance=instance, raise_on_error=False).success
