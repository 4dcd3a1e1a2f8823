"""What only the pixels tell: an undeclared fill at the border, and bands that are empty."""

from __future__ import annotations

from specvae.raster.plan import Plan

__all__ = ["with_probes"]


def with_probes(plan: Plan) -> Plan:
    """The plan with what a look at the pixels adds."""
    return plan
