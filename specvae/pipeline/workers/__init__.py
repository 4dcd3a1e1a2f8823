"""Tasks, and the workers that carry them out: processes of this machine or the workers of a Dask cluster.

A :class:`~specvae.pipeline.workers.task.SceneTask`, ``ShardTask`` or ``StageTask`` says what to do and travels to a worker;
there :func:`~specvae.pipeline.workers.work.carry_out` does it and answers with a :class:`~specvae.pipeline.workers.task.Result`,
never with an exception. :func:`~specvae.pipeline.workers.schedule.carry_out_all` hands the tasks out and tries again what
failed for a reason that may pass. It knows workers only by the protocol ``Workers``, which
:class:`~specvae.pipeline.workers.local.LocalWorkers` and :class:`~specvae.pipeline.workers.cluster.ClusterWorkers` fulfil.
"""
