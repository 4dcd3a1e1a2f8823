"""Alerts over nights: evidence that a pixel has changed, its life from first sight to closed, and objects that last."""
