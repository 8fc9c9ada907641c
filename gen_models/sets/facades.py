"""CMP Facade Database (Tylecek, Sara 2013) in the version of Pix2Pix: label maps and photographs of house fronts."""

from functools import partial

from gen_models.sets import Record
from gen_models.sets._pairs import read_archive

LABELS = {
    "background": "0000dd", "facade": "0030ff", "window": "007fff", "door": "00cdff", "cornice": "20ffde", "sill": "70ff8f",
    "balcony": "c0ff3f", "blind": "ffef00", "deco": "ff9f00", "molding": "ff5000", "pillar": "ff0000", "shop": "ac0000",
}  # fmt: skip
DOMAINS = ("label maps", "photographs of facades")
RECORD = Record(
    title="Facades",
    card_title="facades",
    what="photographs of house fronts with their label maps, 256 x 256: CMP Facade Database in the version of Pix2Pix "
         "(Tylecek, Sara 2013, https://cmp.felk.cvut.cz/~tylecr1/facade/)",
    terms="academic data set, cite its authors; no licence is stated where the copy comes from",
    license="license: other\nlicense_name: research-only",
    pictures="facades",
    kinds=("label map", "photo"),
    drawing="labels",
    labels=LABELS,
    read=partial(read_archive, "facades", "facades_256.zip", ("train/B/", "train/A/"), DOMAINS, True, 256),
)  # fmt: skip
