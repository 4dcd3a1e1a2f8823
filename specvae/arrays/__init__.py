"""Scores of arrays in memory: numpy, torch, xarray, lazily on dask."""
