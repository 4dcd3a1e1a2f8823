"""Attack: an XML of a product's metadata whose entities read a file of this machine, or grow without end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.attacks.conftest import Attack

CANARY = "the-canary-of-this-test"
READS = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file://{canary}">]>'
GROWS = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "'
    + "ha" * 50
    + '">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 50}">' for before, name in zip("abcdefg", "bcdefgh", strict=True))
    + '<!ENTITY x "&h;">]>'
)
LANDSAT = """<LANDSAT_METADATA_FILE><PRODUCT_CONTENTS><LANDSAT_PRODUCT_ID>&x;</LANDSAT_PRODUCT_ID>
<FILE_NAME_BAND_1>scene.tif</FILE_NAME_BAND_1></PRODUCT_CONTENTS>
<IMAGE_ATTRIBUTES><SPACECRAFT_ID>LANDSAT_8</SPACECRAFT_ID></IMAGE_ATTRIBUTES></LANDSAT_METADATA_FILE>"""
SENTINEL = "<n1:Level-2A_User_Product xmlns:n1='x'><PRODUCT_URI>&x;</PRODUCT_URI></n1:Level-2A_User_Product>"
DIMAP = """<Dimap_Document><Metadata_Identification><METADATA_FORMAT version="2.0">DIMAP</METADATA_FORMAT>
</Metadata_Identification><Dataset_Identification><DATASET_NAME>&x;</DATASET_NAME></Dataset_Identification></Dimap_Document>"""
PRODUCTS = {
    "LC08_L1TP_010065_20200101_20200101_01_T1_MTL.xml": LANDSAT,
    "MTD_MSIL2A.xml": SENTINEL,
    "DIM_scene.XML": DIMAP,
}


@pytest.mark.parametrize("name", sorted(PRODUCTS))
@pytest.mark.parametrize(
    "entity", [pytest.param(READS, id="reads"), pytest.param(GROWS, id="grows", marks=pytest.mark.slow)]
)
def test_entities_are_neither_read_nor_expanded(
    name: str, entity: str, tmp_path: Path, scene: Path, attack: Attack
) -> None:
    canary = tmp_path / "canary"
    canary.write_text(CANARY, encoding="utf-8")
    folder = tmp_path / "S2A_MSIL2A_20200101T000000_N0400_R000_T32TNR_20200101T000000.SAFE"
    folder.mkdir()
    shutil.copy(scene, folder / "scene.tif")
    (folder / name).write_text(entity.format(canary=canary) + PRODUCTS[name], encoding="utf-8")
    for path in (folder, folder / name):
        ended = attack("inspect", path, memory=2 << 30)
        assert CANARY not in ended.text
        assert "a bug" not in ended.text


def test_a_virtual_raster_with_entities_shows_no_file(tmp_path: Path, scene: Path, attack: Attack) -> None:
    canary = tmp_path / "canary"
    canary.write_text(CANARY, encoding="utf-8")
    path = scene.parent / "scene.vrt"
    source = '<VRTRasterBand dataType="Byte" band="1"><Description>&x;</Description></VRTRasterBand>'
    path.write_text(
        READS.format(canary=canary) + f'<VRTDataset rasterXSize="4" rasterYSize="4">{source}</VRTDataset>',
        encoding="utf-8",
    )
    assert CANARY not in attack("inspect", path).text
