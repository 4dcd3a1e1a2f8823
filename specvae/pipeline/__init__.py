"""A pipeline: stages over many scenes, declared in TOML, resumed, fault-proof, over processes or a cluster."""
