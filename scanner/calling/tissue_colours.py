"""A colour for each tissue: the same in every track, by its name alone."""

from __future__ import annotations

import colorsys
import hashlib

_ORGANS = {
    "adipocytes": (45, 0.75), "bladder": (52, 0.65), "blood": (0, 0.75), "bone": (30, 0.30), "breast": (330, 0.55),
    "colon": (28, 0.80), "dermal": (20, 0.45), "endothel": (350, 0.45), "epid": (18, 0.55), "eryth": (356, 0.85),
    "fallopian": (312, 0.50), "gallbladder": (75, 0.75), "gastric": (38, 0.85), "head": (12, 0.50),
    "heart": (342, 0.80), "kidney": (205, 0.60), "liver": (140, 0.65), "lung": (190, 0.70),
    "megakaryocytes": (8, 0.65), "neuron": (265, 0.60), "oligodend": (278, 0.45), "ovary": (300, 0.60),
    "pancreas": (95, 0.60), "placenta": (320, 0.75), "prostate": (225, 0.60), "skeletal": (160, 0.55),
    "small": (60, 0.75), "smooth": (172, 0.50), "thyroid": (245, 0.60),
}  # fmt: skip
"""By the first word of its name: an organ's hue in degrees and its saturation."""
_UNKNOWN = "128,128,128"


def tissue_colour(name: str) -> str:
    """Red, green and blue, 0-255, as BED's itemRgb has them. Cell types of one organ share its hue and differ in
    lightness; tissues that are not in the table have a hue made of their names."""
    short = name.lower()
    if short in ("unknown", "other"):
        return _UNKNOWN
    digest = hashlib.sha256(short.encode()).digest()
    organ = short.replace("_", "-").replace(" ", "-").split("-")[0]
    hue, saturation = _ORGANS.get(organ, (digest[0] * 360 / 256, 0.55))
    lightness = 0.34 + 0.24 * digest[1] / 255
    return ",".join(str(round(255 * one)) for one in colorsys.hls_to_rgb(hue / 360, lightness, saturation))
