"""What is tried together with the programs around it."""

from tests.e2e.conftest import judging

__all__ = ["judging"]
