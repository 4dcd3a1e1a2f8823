"""Anomalous objects as outlines, rows and layers."""
