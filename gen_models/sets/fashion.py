"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017)."""

from functools import partial

from gen_models.sets import Record
from gen_models.sets._idx import read_grey
from gen_models.sets._traits import brightness, height, width

CLASSES = {
    "garment": (
        "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "trainer", "bag", "ankle boot",
    )
}  # fmt: skip
RECORD = Record(
    title="Fashion",
    card_title="Fashion-MNIST",
    what="photographs of clothes, 28 x 28 grey (Xiao, Rasul, Vollgraf 2017, https://arxiv.org/abs/1708.07747)",
    terms="MIT, Copyright 2017 Zalando SE",
    license="license: mit",
    hub="zalando-datasets/fashion_mnist",
    pictures="clothes",
    classes=CLASSES,
    opposite="mnist",
    traits={"Width": width, "Height": height, "Brightness": brightness},
    read=partial(read_grey, "fashion", "FashionMNIST", CLASSES),
)
