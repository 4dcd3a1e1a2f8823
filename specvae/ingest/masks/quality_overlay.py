"""The quality layers of a product over a scene, by the values that the product's documents state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from specvae.errors import InputError, ReadError
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.grid import Grid
from specvae.ingest.masks.raster_overlay import fitted
from specvae.ingest.quality_layer import QualityLayer
from specvae.ingest.validity import Mask
from specvae.spectra import Window

__all__ = ["QualityOverlay"]


class QualityOverlay:
    """Open quality layers. Raises InputError where one does not lie on the scene, or lacks a band."""

    def __init__(self, layers: Sequence[QualityLayer], grid: Grid, *, allow_remote: bool) -> None:
        self._open: list[tuple[QualityLayer, DatasetReader | WarpedVRT]] = []
        try:
            for layer in layers:
                dataset = open_dataset(layer.path, allow_remote=allow_remote)
                self._open.append((layer, dataset))
                if dataset.count < max(layer.bands):
                    raise InputError(
                        f"{layer.path} has {dataset.count} bands; its product's documents name {layer.bands}"
                    )
                self._open[-1] = layer, fitted(dataset, layer.path, grid, "product-masks")
        except BaseException:
            self.close()
            raise

    def excluded(self, window: Window) -> Mask:
        """Where any of the layers leaves pixels out, ``(rows, cols)``."""
        out = np.zeros((window.rows, window.cols), bool)
        box = RasterioWindow(window.col, window.row, window.cols, window.rows)
        for layer, source in self._open:
            with errors_in_one_line(f"{layer.path} cannot be read at rows from {window.row}", ReadError):
                stored = source.read(list(layer.bands), window=box)
            marked = np.isin(stored, layer.values) if layer.values else stored != 0
            for band, here, values in zip(layer.bands, marked, stored, strict=True):
                fill = source.nodatavals[band - 1]
                out |= here if fill is None else here & (values != fill)
        return out

    def close(self) -> None:
        """Close the rasters."""
        for _, source in self._open:
            source.close()
        self._open = []
