"""The creatives domain as a Dagster code location."""

from mesh_defs import domain_definitions

defs = domain_definitions(__file__)
