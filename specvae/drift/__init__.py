"""Drift: whether a scene is still what the model was fitted on, before anyone trusts its map."""
