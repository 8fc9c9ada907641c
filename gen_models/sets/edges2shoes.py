"""Line drawings and shop photographs of shoes, 128 x 128."""

from functools import partial

from gen_models.sets import Record
from gen_models.sets._drawings import read_drawn

RECORD = Record(
    title="Shoes",
    card_title="shoes",
    what="shop photographs of shoes, sandals and slippers on white, 128 x 128, from Fashion Product Images (P. Aggarwal), with "
         "line drawings made from them",
    terms="not stated; retailers' photographs, for research and teaching only",
    license="license: other\nlicense_name: research-only",
    pictures="shoes",
    kinds=("line drawing", "photo"),
    drawing="lines",
    read=partial(read_drawn, "edges2shoes", ("shoes", "sandal", "flip_flops"), "shoes"),
)  # fmt: skip
