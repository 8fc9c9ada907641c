"""Paintings by Monet and photographs of landscapes, unpaired (Zhu et al. 2017)."""

from functools import partial

from gen_models.sets import Record
from gen_models.sets._pairs import read_archive

DOMAINS = ("paintings by Monet", "photographs of landscapes")
RECORD = Record(
    title="Monet and photographs",
    card_title="Monet's paintings and landscape photographs",
    what="a part of the unpaired set of CycleGAN (Zhu et al. 2017), 256 x 256",
    terms="the paintings are in the public domain; the photographs (Flickr) belong to their photographers, for research and "
          "teaching only",
    license="license: other\nlicense_name: research-only",
    kinds=("painting", "photo"),
    backwards=True,
    read=partial(read_archive, "monet2photo", "monet2photo_256.zip", ("train/A/", "train/B/"), DOMAINS, False, 256),
)  # fmt: skip
