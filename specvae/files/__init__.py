"""Whole or not at all; same or changed: atomic writes, fingerprints, JSON files."""
