"""``unpaired:PATH``: a user's own pictures of kind A in ``PATH/A``, of kind B in ``PATH/B``."""

from functools import partial

from gen_models.sets import Record
from gen_models.sets._pairs import read_folders

RECORD = Record(
    title="unpaired",
    card_title="two folders of pictures",
    what="the user's own pictures",
    terms="the user's own",
    license="license: other\nlicense_name: as-the-pictures",
    own=True,
    read=partial(read_folders, False),
)
