"""Tasks and where they are carried out: here, in processes, on a cluster."""
