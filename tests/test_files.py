"""Files that are replaced, never half written."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from gen_models import sheets
from gen_models.files import replacing


def test_a_file_is_replaced_in_one_step(tmp_path):
    file = tmp_path / "a b.txt"
    for text in ("one", "two"):
        with replacing(file) as part:
            part.write_text(text, encoding="utf-8")
            assert not file.exists() if text == "one" else file.read_text(encoding="utf-8") == "one"
        assert file.read_text(encoding="utf-8") == text and list(tmp_path.iterdir()) == [file]


def test_an_error_leaves_what_was_there_and_no_half_file(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("before", encoding="utf-8")
    with pytest.raises(OSError, match="full"), replacing(file) as part:
        part.write_text("half", encoding="utf-8")
        raise OSError("the disk is full")
    with pytest.raises(FileNotFoundError), replacing(file):
        pass  # nothing was written
    assert file.read_text(encoding="utf-8") == "before" and list(tmp_path.iterdir()) == [file]


def test_a_sheet_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    file = tmp_path / "run" / "samples.png"
    sheets.save_grid(torch.rand(3, 1, 4, 4), file)
    before, save = file.read_bytes(), Image.Image.save

    def half(image, target, *settings):
        save(image, target, *settings)
        target.write_bytes(target.read_bytes()[:50])
        raise OSError("the disk is full")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(OSError, match="full"):
        sheets.save_grid(torch.rand(3, 1, 4, 4), file)
    assert file.read_bytes() == before and list(file.parent.iterdir()) == [file]
