"""Benchmarks on public data: the product's figures beside baselines and published ones, written by ``specvae benchmark``.

Each benchmark is a module or a folder with ``run(settings)``, which returns the folder of its report. In a folder, ``data``
reads or makes what is measured, ``trial`` measures it once, ``page`` makes the rows of ``metrics.json`` and the page
``report.md``, ``published`` holds the figures of others and ``tried.csv`` what was tried on the way to the default.
"""
