"""The platform's own code location: jobs that look after the mesh as a whole."""

from mesh_defs.refresh.jobs import platform_definitions

defs = platform_definitions()
