"""How weights stand among others: only what was measured in the very same way stands beside them, and the best comes first."""

from __future__ import annotations

import pytest

from demos._kit import measured
from gen_models import catalog

NUMBERS = {
    "dcgan-mnist": (5.0, "10 samples"), "vae-mnist": (3.0, "10 samples"), "ddpm-mnist": (2.0, "10 samples"),
    "gmm-mnist": (9.0, "10 samples"), "gan-mnist": (4.0, "20 samples"), "gmm-fashion": (None, ""),
}  # fmt: skip


@pytest.fixture(params=["lower", "higher"])
def better(request, monkeypatch):
    def measures_of(name: str) -> list[dict]:
        value, protocol = NUMBERS[name]
        entry = dict(key="distance", measure="Distance", value=value, error=0.1, unit="", better=request.param, protocol=protocol)
        return [] if value is None else [entry | dict(real=0.5, real_error=0.1)]

    monkeypatch.setattr(measured, "measures_of", measures_of)
    monkeypatch.setattr(catalog, "trained", lambda model=None: sorted(NUMBERS))
    return request.param


def test_its_neighbours_and_real_pictures_stand_beside_it(better):
    entry, lines = measured.standing("dcgan-mnist")
    assert entry["value"] == 5
    words = {"lower": ("worse than VAE, 2013", "better than Gaussian mixture, 1977"),
             "higher": ("worse than Gaussian mixture, 1977", "better than VAE, 2013")}[better]  # fmt: skip
    order = ["real pictures", words[0], "DCGAN, 2015", words[1]]
    assert [line.words for line in lines] == (order if better == "lower" else order[1:] + order[:1])
    assert [line.words for line in lines if line.own] == ["DCGAN, 2015"]


def test_what_was_measured_otherwise_stands_beside_nothing(better):
    assert [line.words for line in measured.standing("gan-mnist")[1] if line.words != "real pictures"] == ["GAN, 2014"]
    assert measured.standing("gmm-fashion") == ({}, []) and measured.standing_html("gmm-fashion") == ""


def test_a_number_that_stands_alone_gives_way_to_one_with_others_beside_it(monkeypatch):
    alone = dict(key="nll", measure="Likelihood", value=3.0, error=0.1, unit="nats", better="lower", protocol="exact")
    pixels = alone | dict(key="psnr", measure="Signal", better="higher", protocol="Set5", unit="dB")
    numbers = {"vae-mnist": [alone, pixels, pixels | dict(key="psnr-bicubic", measure="Signal, bicubic", value=2.0)],
               "dcgan-mnist": [alone | dict(protocol="sampled")]}  # fmt: skip
    monkeypatch.setattr(measured, "measures_of", numbers.get)
    monkeypatch.setattr(catalog, "trained", lambda model=None: sorted(numbers))
    entry, lines = measured.standing("vae-mnist")
    assert entry["key"] == "psnr" and [line.words for line in lines] == ["VAE, 2013", "better than bicubic"]
    entry, lines = measured.standing("dcgan-mnist")
    assert entry["key"] == "nll" and [line.words for line in lines] == ["DCGAN, 2015"]


@pytest.mark.parametrize("weights", [name for name in catalog.trained() if measured.measures_of(name)])
def test_of_each_shipped_model_at_most_four_lines_are_shown(weights):
    entry, lines = measured.standing(weights)
    assert 1 <= len(lines) <= 4 and sum(line.own for line in lines) == 1 and entry in measured.measures_of(weights)
