"""What a user points at, read as cubes and rows with a reason for every invalid pixel."""
