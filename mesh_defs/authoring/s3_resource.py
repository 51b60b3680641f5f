"""A domain's S3 as a Dagster resource. A module of its own: importing dagster-aws costs every code location half a second."""

from dataclasses import replace
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import Field

from mesh_defs.model.place import S3Access
from mesh_defs.settings import s3_access


class DomainS3(S3Resource):
    """Who a domain is on S3: dagster-aws's own resource, which may take everything from one URL as well.

    What is set field by field goes before the URL, and both before what the environment says.
    """

    url: str | None = Field(default=None, description="https://key:secret@host?region=…, from the environment")

    def access(self, otherwise: S3Access) -> S3Access:
        """Return how the domain's steps reach S3."""
        told = s3_access(self.url) if self.url else otherwise
        fields = {
            "endpoint": self.endpoint_url,
            "region": self.region_name,
            "key": self.aws_access_key_id,
            "secret": self.aws_secret_access_key,
        }
        return replace(told, **{name: value for name, value in fields.items() if value})

    def get_client(self) -> Any:
        """Return dagster-aws's client, for the team's own assets."""
        told = self.access(S3Access())
        fields = {
            "endpoint_url": told.endpoint,
            "region_name": told.region,
            "aws_access_key_id": told.key,
            "aws_secret_access_key": told.secret,
        }
        return S3Resource(**{**self.model_dump(exclude={"url"}), **fields}).get_client()


def domain_s3(domain: str) -> DomainS3:
    """The resource, which names the environment's variable and never its value."""
    variable = dg.EnvVar(f"MESH_{domain.upper()}_S3")
    # Where the secrets lie in a file there is no such variable, and Dagster would not start the step.
    return DomainS3(url=variable) if variable.get_value() else DomainS3()
