"""Photographs of faces and portraits in the style of a game, unpaired."""

from functools import partial

from gen_models.sets import Record
from gen_models.sets._pairs import read_archive

DOMAINS = ("photographs of faces", "game portraits")
RECORD = Record(
    title="Faces and portraits",
    card_title="faces and game portraits",
    what="face2genshin: photographs of faces and portraits in the style of a game, from the web, unpaired, 128 x 128",
    terms="not stated; photographs of unknown people and art whose characters are HoYoverse's, for research only, not to be "
          "spread widely",
    license="license: other\nlicense_name: research-only",
    kinds=("face", "portrait"),
    finder="finder-faces2photos",
    framing=1.2,
    read=partial(read_archive, "faces2portraits", "face2genshin_128.zip", ("train/A/", "train/B/"), DOMAINS, False, 128),
)  # fmt: skip
