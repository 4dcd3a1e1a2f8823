"""The score of windows and rows, cell by cell, and what else is computed from a fitted net."""
