"""What ``specvae watch`` writes: maps of status and state, alerts, a page, and last the STAC item ``watch.json``."""
