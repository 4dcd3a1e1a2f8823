"""Masks and polygons laid over a scene."""
