"""The rooms of the gallery, one file each; what all of them share stands in ``_room``."""
