"""The scikit-learn face: rows in, scores, labels and reasons out."""
