"""The compiled arithmetic of a night: what every pixel of a place goes through, in C; the same bits as the numpy beside it."""
