"""``paired:PATH``: a user's own pairs, ``PATH/A/x.png`` with ``PATH/B/x.jpg``, or the left and the right half of ``PATH/x.png``."""

from functools import partial

from gen_models.sets import Record
from gen_models.sets._pairs import read_folders

RECORD = Record(
    title="paired",
    card_title="a folder of pairs",
    what="the user's own pictures",
    terms="the user's own",
    license="license: other\nlicense_name: as-the-pictures",
    own=True,
    read=partial(read_folders, True),
)
