"""Python's faces: the scikit-learn estimator, arrays, xarray, PyOD's names."""
