"""MNIST (LeCun, Cortes, Burges 1998)."""

from functools import partial

from gen_models.sets import Record
from gen_models.sets._idx import read_grey
from gen_models.sets._traits import brightness, height, slant, width

CLASSES = {"digit": tuple("0123456789")}
RECORD = Record(
    title="Digits",
    card_title="MNIST",
    what="handwritten digits, 28 x 28 grey (Yann LeCun, Corinna Cortes, Christopher Burges)",
    terms="CC BY-SA 3.0",
    license="license: mit",
    hub="ylecun/mnist",
    pictures="digits",
    classes=CLASSES,
    fill=20 / 28,
    opposite="fashion",
    traits={"Width": width, "Slant": slant, "Height": height, "Ink": brightness},
    read=partial(read_grey, "mnist", "MNIST", CLASSES),
)
