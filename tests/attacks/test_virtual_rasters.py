"""Attack: a virtual raster that shows a file from elsewhere, an address, a device, or runs Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.conftest import Attack

VRT = """<VRTDataset rasterXSize="40" rasterYSize="40">
<VRTRasterBand dataType="Byte" band="1"{more}>
{source}
</VRTRasterBand></VRTDataset>"""
SIMPLE = """<SimpleSource><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename><SourceBand>1</SourceBand>
</SimpleSource>"""


@pytest.mark.parametrize(
    ("name", "relative"),
    [
        ("{secret}", 0),
        ("../private/secret.tif", 1),
        ("/etc/passwd", 0),
        ("/vsicurl/http://127.0.0.1:9/secret.tif", 0),
        ("http://127.0.0.1:9/secret.tif", 0),
        ("/vsizip/{secret}.zip/secret.tif", 0),
        ("&#47;etc/passwd", 0),
        ("GTIFF_RAW:{secret}", 0),
    ],
)
def test_a_source_elsewhere_is_refused(
    name: str, relative: int, tmp_path: Path, secret: Path, scene: Path, attack: Attack
) -> None:
    source = SIMPLE.format(name=name.format(secret=secret), relative=relative)
    path = scene.parent / "scene.vrt"
    path.write_text(VRT.format(source=source, more=""), encoding="utf-8")
    ended = attack("fit", path, "--set", "training.steps=10")
    assert ended.refused, ended.text
    assert not (tmp_path / "model.specvae").exists()


def test_a_link_in_the_folder_that_leads_elsewhere_is_refused(secret: Path, scene: Path, attack: Attack) -> None:
    (scene.parent / "near.tif").symlink_to(secret)
    path = scene.parent / "scene.vrt"
    path.write_text(VRT.format(source=SIMPLE.format(name="near.tif", relative=1), more=""), encoding="utf-8")
    assert attack("inspect", path).refused


def test_raw_bytes_of_any_file_are_no_band(scene: Path, attack: Attack) -> None:
    raw = (
        '<SourceFilename relativetoVRT="0">/etc/passwd</SourceFilename><ImageOffset>0</ImageOffset>'
        "<PixelOffset>1</PixelOffset><LineOffset>40</LineOffset>"
    )
    path = scene.parent / "scene.vrt"
    path.write_text(VRT.format(source=raw, more=' subClass="VRTRawRasterBand"'), encoding="utf-8")
    assert attack("inspect", path).refused


def test_python_in_a_virtual_raster_does_not_run(mark: Path, scene: Path, attack: Attack) -> None:
    code = (
        "<PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionCode>"
        f"<![CDATA[\nopen('{mark}', 'w')\ndef f(*arguments, **more):\n    open('{mark}', 'w')\n]]></PixelFunctionCode>"
        + SIMPLE.format(name="scene.tif", relative=1)
    )
    path = scene.parent / "scene.vrt"
    path.write_text(VRT.format(source=code, more=' subClass="VRTDerivedRasterBand"'), encoding="utf-8")
    attack("fit", path, "--set", "training.steps=10")
    assert not mark.exists()
