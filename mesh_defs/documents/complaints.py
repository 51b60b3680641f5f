"""Collects everything that is wrong with one document, so that its writer mends it in one go."""

from mesh_defs.documents.reading import Document, Field, raise_all
from mesh_defs.errors import Finding


class Complaints:
    """Findings about one document, in the order they were found."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Finding] = []
        # Every field that was complained about, and everything around it.
        self._concerned: set[Field] = set()
        self._ignored: list[Field] = []

    def add(self, field: Field, what: str, fix: str) -> None:
        """Note that `field` is wrong, and what would mend it; not when it lies in a field that is ignored."""
        self._note(field)
        if not self._is_ignored(field):
            self.findings.append(self.document.finding(field, what, fix))

    def ignore(self, field: Field) -> None:
        """Take up no more complaints about `field`: what is wrong with it was said."""
        self._note(field)
        self._ignored.append(field)

    def concern(self, *fields: Field) -> bool:
        """Tell whether any of `fields`, or a part of one, is known to be wrong: nothing can be concluded from it."""
        return any(field in self._concerned or self._is_ignored(field) for field in fields)

    def _note(self, field: Field) -> None:
        self._concerned.update(field[:length] for length in range(len(field) + 1))

    def _is_ignored(self, field: Field) -> bool:
        return any(_lies_in(field, ignored) for ignored in self._ignored)

    def raise_if_any(self) -> None:
        """Raise DeclarationError with what was noted."""
        raise_all(self.findings, self.document.file)


def _lies_in(field: Field, ignored: Field) -> bool:
    """A step that names a property of a list may be any of the list's items."""
    alike = all(one == other or type(one) is not type(other) for one, other in zip(field, ignored, strict=False))
    unsure = 0 < len(field) <= len(ignored) and type(field[-1]) is not type(ignored[len(field) - 1])
    return alike and (len(ignored) <= len(field) or unsure)
