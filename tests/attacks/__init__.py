"""Attacks that must fail: one file each, which says what it tries and holds that it fails.

The common measure: the command ends with one line and a status of its own, within seconds and without growing, and nothing outside
the output folder was read, run or written.
"""
