"""Thresholds with a known false-alarm rate, from the scores of held-out normal data. Import from the files."""
