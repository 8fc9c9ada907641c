"""The glossary: each of its terms occurs in what the page shows, and is marked there, but not in links, code and formulas."""

from __future__ import annotations

import importlib
import re
from functools import cache

import pytest
from playwright.sync_api import expect

import app
from demos._kit import layout
from demos._kit.glossary import ANY, TERMS
from demos._kit.plan import Plan
from demos._widgets import script
from gen_models import catalog

PAGE = """<body><div class="prose"><p>The <b>latents</b> and <a href="#">the prior</a>, <code>nats</code>, <i>priors</i>, a
  latent; unlikelihoods, prior-free.</p><svg><text>guidance</text></svg><span class="katex">posterior</span></div>
  <label>X<span class="info-text">Its recall</span><input type="checkbox"></label><p>The recall of all of this.</p></body>"""


@cache
def texts() -> list[str]:
    """What the rooms explain, say beside their fields and above their views, and list as measured."""
    found = []
    for name in catalog.names():
        found += catalog.about(name)["differences"]
    for members in app.rooms().values():
        for name in members:
            plan: Plan = importlib.import_module(f"demos.{name}").PLAN
            found += [plan.explanation, *(view.intro for view in plan.views), *(one.info or "" for one in plan.fields.values())]
    return [*found, *map(layout.measured, catalog.trained())]


@pytest.mark.parametrize("term", TERMS)
def test_each_term_occurs_in_the_page(term):
    number = 1 + list(TERMS).index(term)
    assert any(found.lastindex == number for text in texts() for found in re.finditer(ANY, text, re.IGNORECASE))


@pytest.mark.parametrize(("words", "term"), [
    ("the latent codes", "latent"), ("Negative log-likelihood in nats", "log-lik"), ("two priors", "prior"),
    ("Bits per pixel", "bits"),
])  # fmt: skip
def test_a_term_is_found_in_its_forms(words, term):
    number = re.search(ANY, words, re.IGNORECASE).lastindex - 1
    assert term in list(TERMS)[number]


def test_what_a_term_means_is_one_sentence():
    for says in TERMS.values():
        assert says[0].isupper() and says[-1] == "." and 20 < len(says) < 160 and says.count(". ") <= says.count("et al. ")


# ---- in the browser ---------------------------------------------------------------------------------------------------


@pytest.fixture
def page(chromium):
    """A bare page with texts and the glossary."""
    page = chromium.new_page(viewport={"width": 390, "height": 600})
    page.set_content(PAGE)
    page.evaluate(f"() => {{ {script('glossary', TERMS=ANY, SAYS=list(TERMS.values()))} }}")
    yield page
    page.close()


@pytest.mark.browser
def test_the_first_occurrence_in_a_text_is_marked_but_not_in_links_code_and_formulas(page):
    terms = page.locator(".term")
    assert terms.all_inner_texts() == ["latents", "priors", "recall"]
    page.evaluate("() => document.querySelector('.prose p').append(' nats, and latents once more')")
    expect(terms).to_have_text(["latents", "priors", "nats", "recall"])
    page.evaluate("() => { document.querySelector('.info-text').textContent = 'The posterior'; }")
    expect(terms).to_have_text(["latents", "priors", "nats", "posterior"])


@pytest.mark.browser
def test_a_term_says_what_it_means_on_hover_on_focus_and_on_tap(page):
    latents, recall, says = (page.locator(".term", has_text="latents"), page.locator(".term", has_text="recall"),
                             page.get_by_role("tooltip"))  # fmt: skip
    expect(says).to_be_hidden()
    latents.hover()
    expect(says).to_have_text(next(iter(TERMS.values())))
    says.hover()  # it can be read with the pointer on it
    expect(says).to_be_visible()
    page.mouse.move(380, 590)
    expect(says).to_be_hidden()
    recall.click()
    expect(says).to_have_text(TERMS["recall"])
    expect(page.get_by_role("checkbox")).not_to_be_checked()  # its label did not take the click
    page.keyboard.press("Escape")
    expect(says).to_be_hidden()
    page.locator("a").focus()
    page.keyboard.press("Tab")
    expect(page.locator(".term", has_text="priors")).to_be_focused()
    expect(page.locator(".term", has_text="priors")).to_have_accessible_description(TERMS["priors?"])
    box = says.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 600
