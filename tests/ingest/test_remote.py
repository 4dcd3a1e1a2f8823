"""STAC assets and Zarr stores on another machine, here a server of this one: read where that is allowed, and refused elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from specvae.errors import InputError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from tests.raster_files import ramp, write

SERVER = """
import http.server, io, os, re, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *parts): pass
    def send_head(self):
        asked, path = self.headers.get("Range"), self.translate_path(self.path)
        if not asked or not os.path.isfile(path):
            return super().send_head()
        with open(path, "rb") as file: data = file.read()
        first, last = re.match(r"bytes=(\\d+)-(\\d*)", asked).groups()
        part = data[int(first):int(last or len(data)) + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        return io.BytesIO(part)
os.chdir(sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
"""Serves a folder with ranges, in a process of its own: GDAL holds Python's lock while it waits for an answer."""
REMOTE = IngestOptions(allow_remote=True)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of the folder ``there`` of the test's own."""
    (tmp_path / "there").mkdir()
    command = [sys.executable, "-c", SERVER, str(tmp_path / "there")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.kill()


def test_an_item_here_of_assets_there_is_read_where_that_is_allowed(address: str, tmp_path: Path) -> None:
    bands = {"blue": 0.49, "nir": 0.84}
    values = ramp(2)
    assets = {}
    for plane, (name, centre) in zip(values, bands.items(), strict=True):
        write(tmp_path / "there" / f"{name}.tif", plane[None])
        assets[name] = {
            "href": f"{address}/{name}.tif",
            "type": "image/tiff",
            "eo:bands": [{"name": name, "center_wavelength": centre}],
            "raster:bands": [{"scale": 0.0001, "offset": 0.0}],
        }
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "x", "properties": {"datetime": "2023-07-15T10:15:59Z"}}
    path = tmp_path / "item.json"
    path.write_text(json.dumps({**item, "assets": assets}))
    (tmp_path / "there" / "item.json").write_text(path.read_text())
    with pytest.raises(InputError, match="allow it with --allow-remote"):
        open_scene(path)
    with open_scene(path, REMOTE) as scene:
        assert scene.bands.wavelengths == (490.0, 840.0)
        assert np.allclose(scene.read(scene.grid.window).values, values * 1e-4, rtol=1e-6)
    with pytest.raises(InputError, match="download it; its assets may stay where they are"):
        open_scene(f"{address}/item.json", REMOTE)


def test_a_zarr_store_there_is_read_by_the_rules_for_one_here(address: str, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    pytest.importorskip("aiohttp")
    root = zarr.open_group(tmp_path / "there" / "p.zarr", mode="w", zarr_format=2)
    root.attrs["stac_discovery"] = {"properties": {"datetime": "2023-07-15T10:15:59Z", "platform": "sentinel-2a"}}
    group = root.require_group("measurements/reflectance/r10m")
    values = ramp(2, start=2000)
    for name, coordinate in (("y", np.arange(40) * -10.0), ("x", np.arange(50) * 10.0)):
        group.create_array(name, data=coordinate).attrs["_ARRAY_DIMENSIONS"] = [name]
    for name, plane in zip(("b02", "b08"), values, strict=True):
        array = group.create_array(name, shape=plane.shape, dtype=plane.dtype, chunks=(16, 16))
        array[...] = plane
        array.attrs.update({"scale_factor": 0.0001, "add_offset": -0.1, "_ARRAY_DIMENSIONS": ["y", "x"]})
    zarr.consolidate_metadata(tmp_path / "there" / "p.zarr")
    (source,) = find_sources([f"{address}/p.zarr"])
    with pytest.raises(InputError, match="allow it with --allow-remote"):
        open_scene(source)
    with open_scene(source, REMOTE) as scene:
        assert scene.bands.names == ("B2", "B8")
        assert scene.datetime == "2023-07-15T10:15:59Z"
        assert np.allclose(scene.read(scene.grid.window).values, values * 1e-4 - 0.1, atol=1e-6)
