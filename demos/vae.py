"""The VAE room: drag the latents, hand it a picture, wander over the map, walk between two pictures."""

from __future__ import annotations

from demos._families import latents
from demos._kit import charts
from demos._kit.alone import alone
from demos._kit.plan import Plan

MODEL = "vae"
EXPLANATION = charts.diagram(
    "A picture goes through the encoder and becomes a code; a code goes through the decoder and becomes a picture",
    {"picture x": (0, 0, "real"), "encoder": (1, 0, "net"), "code z,\nlike N(0, I)": (2, 0, ""), "decoder": (3, 0, "net"),
     "reconstruction": (4, 0, "made")},
    [("picture x", "encoder"), ("encoder", "code z,\nlike N(0, I)"), ("code z,\nlike N(0, I)", "decoder"),
     ("decoder", "reconstruction"), ("reconstruction", "picture x", "compared")],
) + r"""

An **encoder** reads a picture and answers with a distribution over latent codes, the posterior: a mean and a standard deviation for
each latent $z_k$. A **decoder** turns any latent code into a picture. Both are trained together: the decoded picture should match
the original (first term), and the posteriors should stay close to a standard Gaussian, the prior (second term), so that a code
drawn at random from the prior decodes to a plausible picture. Latents that carry no information end with a divergence of zero; the
sliders show the others, the most informative first. The codes of real pictures need not fill the prior, and what lies between them
the decoder never saw: for faces, seeds therefore draw from a mixture of Gaussians that was fitted to the codes after the training
([Ghosh et al. 2020](https://arxiv.org/abs/1903.12436)), or, if you choose so, from the prior.

$$\log p(x) \;\ge\; \mathbb{E}_{q(z|x)}\left[\log p(x|z)\right] - \mathrm{KL}\left(q(z|x)\,\|\,\mathcal{N}(0, I)\right)$$
"""

PLAN = Plan(
    MODEL, "mnist", explanation=EXPLANATION, fields=latents.fields(), tour=latents.tour(), views=latents.views(),
    actions=latents.actions(), api=latents.api(MODEL, "a VAE"),
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
