"""The rooms of the gallery, one file each; what all of them share stands in ``_room``."""

from demos._server import address

address.prepare()  # before any room imports Gradio
