"""Proofs that are run by hand or at length: `python -m tests.quality.parity`."""
