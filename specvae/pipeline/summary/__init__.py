"""How a run ended: outcomes, run.json, index page, charts, metrics, events."""
