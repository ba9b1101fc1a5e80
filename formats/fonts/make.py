"""Makes the two font files of this folder from the released ones; see README.md.

    python3 make.py BIZUDPGothic-Regular.ttf BIZUDPGothic-Bold.ttf
"""
import os
import sys

from fontTools import subset
from fontTools.ttLib import TTFont

HERE = os.path.dirname(os.path.abspath(__file__))
COMMON = ["--no-hinting", "--layout-features=", "--notdef-outline", "--name-IDs=*",
          "--drop-tables+=DSIG,meta,vhea,vmtx,gasp"]
CHOICE = {"Regular": "--unicodes=*", "Bold": "--text-file=" + os.path.join(HERE, "bold.txt")}


def widen_one(path):
    """Gives the digit 1 the width of the other digits, in its middle: figures stand under each other by themselves."""
    font = TTFont(path, recalcTimestamp=False)
    names = font.getBestCmap()
    wide, _ = font["hmtx"][names[ord("0")]]
    own, left = font["hmtx"][names[ord("1")]]
    shift = (wide - own) // 2
    outline = font["glyf"][names[ord("1")]]
    outline.coordinates.translate((shift, 0))
    outline.recalcBounds(font["glyf"])
    font["hmtx"][names[ord("1")]] = (wide, left + shift)
    font.save(path)


for source in sys.argv[1:]:
    name = os.path.basename(source)
    weight = name.removesuffix(".ttf").split("-")[1]
    target = os.path.join(HERE, name)
    subset.main([source, CHOICE[weight], *COMMON, "--output-file=" + target])
    widen_one(target)
    print(name, os.path.getsize(target), "bytes")
