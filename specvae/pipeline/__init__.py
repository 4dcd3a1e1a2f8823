"""A batch: a TOML file that declares stages over many scenes, carried out by workers and resumed after any interruption.

The way of a batch through this room: :mod:`~specvae.pipeline.declaration` reads and checks the TOML;
:mod:`~specvae.pipeline.plan` decides for each scene whether there is work to do; :mod:`~specvae.pipeline.workers` carry
out the tasks that remain; :mod:`~specvae.pipeline.summary` writes what became of them; :mod:`~specvae.pipeline.run` calls
these in their order.
"""
