"""The VAE room: drag the latents, hand it a picture, wander over the map, walk between two pictures."""

from __future__ import annotations

from demos._families import latents
from demos._kit.alone import alone
from demos._kit.plan import Plan

MODEL = "vae"
EXPLANATION = r"""
An **encoder** looks at a picture and answers with a place and how sure it is of it: a mean and a spread for each latent $z_k$.
A **decoder** paints the picture of any place. Both learn together: the painting should match the picture (first term), and the
places should together look like plain Gaussian noise (second term), so that a place drawn at random is the place of some picture.
Latents that carry nothing end with a divergence of zero; the sliders show the others, the most telling first.

$$\log p(x) \;\ge\; \mathbb{E}_{q(z|x)}\left[\log p(x|z)\right] - \mathrm{KL}\left(q(z|x)\,\|\,\mathcal{N}(0, I)\right)$$
"""

PLAN = Plan(
    MODEL, "mnist", explanation=EXPLANATION, fields=latents.fields(), tour=latents.tour(), views=latents.views(),
    actions=latents.actions(), api=latents.api(MODEL, "a VAE"),
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
