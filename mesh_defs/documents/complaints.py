"""Collects everything that is wrong with one document, so that its writer mends it in one go."""

from mesh_defs.documents.reading import Document, Field
from mesh_defs.errors import DeclarationError, Finding


class Complaints:
    """Findings about one document, in the order they were found."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Finding] = []

    def add(self, field: Field, what: str, fix: str) -> None:
        """Note that `field` is wrong, and what would mend it."""
        self.findings.append(self.document.finding(field, what, fix))

    def raise_if_any(self) -> None:
        """Raise DeclarationError with all that was noted."""
        if self.findings:
            raise DeclarationError(self.findings)
