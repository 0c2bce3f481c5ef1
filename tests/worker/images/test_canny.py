"""Edges: the same as OpenCV's, pixel by pixel, and where they have to be."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from otterbot_worker.images.draw import canny

KNOWN = """
000040000c0006000003c00030000c0000060001e0003000003800030000e0000060000e0007000001800030000c0001
0f0000c0003000061800038001c0003860000c0003000060800000000c00000000003e003003ffff0000c180c0040000
0003006300080000000c001e000980000098002c00080003033000c6000800060c6003030068003870400e0103880060
c0803000860801c08080c000980806000103000040081800010c00014008700002380006400980000240001840080000
020000e0400800070a0001804068000c3a00070041880070c10018004e0800c001006000580803000081c000a0081c00
008e000080083000005800010009c00000600013000b000101b00066000c00030618038c0030000c180c061800c80030
e0030060030800c00000ff800c0807000001000038080c00000e0001c0043000001800030000c0000070000c00030000
01800038000c0001060000c00030000e1c00038000c00018e0001c0003000070000030000c0001800000e00010000600
"""
"""What OpenCV 5.0.0 says to ``cv2.Canny(motley(), 100, 200)``: 48 rows of 64 bits."""


def motley() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A disc, stripes and a box, each in a colour of its own, over slopes and a little noise."""
    y, x = np.mgrid[:48, :64]
    red = np.where((x - 20) ** 2 + (y - 24) ** 2 < 180, 200, 40) + x
    green = np.where((x + 2 * y) % 37 < 18, 150, 90) + (7 * x * y) % 23
    blue = np.where((x > 44) & (y > 10) & (y < 40), 230, 5 * y)
    return (np.stack([red, green, blue], -1) % 256).astype(np.uint8)


def test_the_lines_are_those_of_opencv() -> None:
    bits = np.unpackbits(np.frombuffer(bytes.fromhex("".join(KNOWN.split())), np.uint8)).reshape(48, 64)
    assert (canny.find(motley(), 100, 200) == 255 * bits).all()


def test_a_box_has_its_outline_of_one_pixel() -> None:
    picture = Image.new("RGB", (64, 48), "white")
    ImageDraw.Draw(picture).rectangle((16, 8, 47, 39), fill="black")
    found = np.asarray(canny.edges(picture)) > 0
    y, x = np.nonzero(found)
    assert (x.min(), x.max(), y.min(), y.max()) in {(15, 47, 7, 39), (16, 48, 8, 40), (16, 47, 8, 39), (15, 48, 7, 40)}
    # One pixel wide along each side, off the corners.
    assert (found[12:36].sum(axis=1) == 2).all()
    assert (found[:, 20:44].sum(axis=0) == 2).all()
    assert not found[14:34, 20:44].any()


def test_weak_lines_stay_where_they_hang_on_a_strong_one() -> None:
    """A line that fades is followed from its strong end; the same weak line alone is none."""
    pixels = np.full((40, 80, 3), 100, np.uint8)
    pixels[20:, 40:] = 160
    pixels[20:, :40] = 135
    alone = np.full((40, 80, 3), 100, np.uint8)
    alone[20:, :40] = 135
    alone[20:, 40:] = np.linspace(135, 100, 40, dtype=np.uint8)[None, :, None]
    low, high = 100, 200
    assert canny.find(pixels, low, high)[18:22, 5].any()
    assert not canny.find(alone, low, high).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 2), (3, 3)])
def test_small_and_flat_pictures_have_no_edges(size: tuple[int, int]) -> None:
    found = canny.edges(Image.new("RGB", size, "red"))
    assert (found.size, found.mode, found.getbbox()) == (size, "L", None)


def test_time_grows_with_the_pixels_and_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One weak line that winds through the whole picture, from one strong end: nothing is looked at twice."""

    def winding(side: int) -> tuple[Any, Any]:
        line = np.zeros((side, side), bool)
        line[::2] = True
        line[1::4, -1] = line[3::4, 0] = True
        strong = np.zeros_like(line)
        strong[0, 0] = True
        return line, strong

    seconds = []
    for side in (201, 401):
        line, strong = winding(side)
        started = time.process_time()
        assert ((canny._connected(line, strong) > 0) == line).all()
        seconds.append(time.process_time() - started)
    assert seconds[1] < 12 * seconds[0] + 0.05, "four times the pixels"
    monkeypatch.setattr(canny, "PIXELS_MAX", 99)
    with pytest.raises(ValueError, match="too many"):
        canny.edges(Image.new("RGB", (10, 10)))
