"""Line drawings and shop photographs of bags, 128 x 128."""

from functools import partial

from gen_models.sets import Record
from gen_models.sets._drawings import read_drawn

RECORD = Record(
    title="Bags",
    card_title="bags",
    what="shop photographs of bags and wallets on white, 128 x 128, from Fashion Product Images (P. Aggarwal), with "
         "line drawings made from them",
    terms="not stated; retailers' photographs, for research and teaching only",
    license="license: other\nlicense_name: research-only",
    pictures="bags",
    kinds=("line drawing", "photo"),
    drawing="lines",
    read=partial(read_drawn, "edges2bags", ("bags", "wallets"), "bags"),
)  # fmt: skip
