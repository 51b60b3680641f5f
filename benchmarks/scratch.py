"""A mesh in a scratch folder, for benchmarks and tests that must not touch the demo's state."""

import shutil
from collections.abc import Mapping
from pathlib import Path

MESH = """format: 1
organisation: Benchmark
purposes: {measurement: Measuring., planning: Planning.}
roles: {analyst: Measures., planner: Plans.}
people: {ada: {title: Analyst, roles: [analyst]}, max: {roles: [planner]}, guest: {}}
"""
DOMAIN = """format: 1
name: {name}
title: Benchmark
description: Products that are made only to be measured.
owner: bench
steward: ada
"""
DEFINITIONS = "from mesh_defs import domain_definitions\n\ndefs = domain_definitions(__file__)\n"

# A table's whole contract, for Parquet and what publishes it, filled in by `format`.
CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: urn:bench:{domain}:{name}
version: 1.0.0
status: active
domain: {domain}
dataProduct: {name}
description: {{purpose: Made to be measured.}}
team: {{name: bench}}
servers: [{{server: local, environment: local, type: local, path: {name}, format: {format}}}]
schema:
  - name: {name}
    properties:
{columns}
customProperties: [{{property: granularity, value: aggregate}}, {{property: grain, value: [{key}]}}]
"""
PRODUCT = """from mesh_defs import data_product


@data_product()
def {name}(connection):
    return connection.read_parquet('{file}')
"""


def make_mesh(root: Path, domains: Mapping[str, Mapping[str, str]]) -> Path:
    """Write a mesh: for each domain the files of its folder, by their path in it. Returns `root`."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (root / "mesh.yaml").write_text(MESH)
    entries = [f"{{relative_path: domains/{name}/definitions.py, location_name: {name}}}" for name in domains]
    (root / "workspace.yaml").write_text("load_from:\n" + "".join(f"  - python_file: {entry}\n" for entry in entries))
    for name, files in domains.items():
        defaults = {"domain.yaml": DOMAIN.format(name=name), "definitions.py": DEFINITIONS}
        for path, text in {**defaults, **files}.items():
            file = root / "domains" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return root
