"""Comparisons of what was written: maps, tables, reports and models, equal or different and where."""
