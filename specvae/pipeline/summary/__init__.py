"""What became of a run: its records and exit status, and the files that say so to people and programs.

While a run goes on, :mod:`~specvae.pipeline.summary.outcome` collects a record for each stage and scene, and
:mod:`~specvae.pipeline.summary.events` writes a line for each event into ``log.jsonl``. At the end
:mod:`~specvae.pipeline.summary.summary` makes from these records the content of ``run.json`` (described in
:mod:`~specvae.pipeline.summary.run_json`), and from that content the page ``index.html`` and the metrics ``metrics.prom``: the
three say the same because they are made of the same.
"""
