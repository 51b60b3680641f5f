"""What one domain expects of another's product: a consumer-driven contract, on top of what the product promises."""

from dataclasses import dataclass

from quality_checks import Expectation, check_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """`consumer` (a domain) reads `product` for `purpose`, and relies on these expectations. `file` is for messages."""

    consumer: str
    product: str
    purpose: str
    expectations: tuple[Expectation, ...]
    file: str = ""

    @property
    def check_names(self) -> tuple[str, ...]:
        """Names of the checks, in order: beside the product's own they say whose they are."""
        return tuple(f"{self.consumer}_expects__{name}" for name in check_names(self.expectations))

    @property
    def tables(self) -> tuple[str, ...]:
        """The other products that its expectations compare with."""
        named = (expectation.kwargs.get("other_table_name") for expectation in self.expectations)
        return tuple(sorted({name for name in named if isinstance(name, str)}))
