"""Benchmarks on public data: figures beside published ones, each folder written by its command."""
