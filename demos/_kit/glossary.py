"""The field's terms: in every text of a page, the first time that one occurs, it says on hover, focus and tap what it means."""

from __future__ import annotations

import gradio as gr

from demos._widgets import script

TERMS = {
    "latents?|latent (?:codes?|vectors?|space)": "Hidden numbers that describe a picture; a network turns them into it.",
    "priors?": "What is assumed of an unknown before any data are seen; for latents mostly a standard Gaussian.",
    "posteriors?": "What is known of an unknown once the data have been seen: the prior, corrected by Bayes' rule.",
    "evidence lower bound|lower bound": "A computable number that log p(x) is never below; training raises it "
    "(Jordan et al. 1999).",
    "KL|divergences?": "Kullback-Leibler divergence: how much one distribution differs from another; zero only if they are equal "
    "(Kullback and Leibler 1951).",
    "nats?": "Unit of information, by natural logarithms: one nat is 1.44 bits.",
    "bits per (?:pixel|dimension)": "What a perfect compressor that uses this model needs for each number of a picture "
    "(Shannon 1948).",
    "(?:negative )?log-likelihoods?|likelihoods?": "The probability, or its density, that a model gives to a picture; of the "
    "negative logarithm, less is better.",
    "log-densit(?:y|ies)": "Logarithm of the probability per unit of volume; it may be above zero.",
    "importance sampling": "Averaging over one distribution by draws from another, each weighted by the ratio of "
    "their densities.",
    "Parzen window": "Density estimate that puts a small Gaussian around every sample (Parzen 1962); crude in many dimensions.",
    "Frechet distance": "Distance between Gaussians fitted to the features of samples and of real pictures "
    "(Heusel et al. 2017).",
    "kernel distance": "Distance between the features of samples and of real pictures, without assuming Gaussians (maximum mean "
    "discrepancy, Bińkowski et al. 2018).",
    "precision": "The share of samples that lie among the real pictures: do they look real? (Kynkäänniemi et al. 2019).",
    "recall": "The share of real pictures that lie among the samples: is every kind produced? (Kynkäänniemi et al. 2019).",
    "peak signal-to-noise ratio|PSNR": "The squared error of the pixels on a scale of decibels; higher is closer to the original.",
    "structural similarity|SSIM": "Likeness of brightness, contrast and structure in small windows; 1 if two pictures are equal "
    "(Wang et al. 2004).",
    "cycle error|cycle consistency": "How far a picture that is translated there and back is from itself; training keeps it small "
    "(Zhu et al. 2017).",
    "mode collapse": "The generator produces only a few of the kinds of data there are (Goodfellow 2016).",
    "guidance": "Exaggerating what the class changes in the prediction of each step (Ho and Salimans 2022).",
    "moving average": "Mean of the weights over the latest steps of training, which is steadier than the last weights "
    "(Polyak and Juditsky 1992).",
    "receptive field": "The part of the input that one output of a network depends on.",
    "spectral normalisation": "Dividing each layer's weights by their largest singular value, which keeps the discriminator "
    "smooth (Miyato et al. 2018).",
    "batch normalisation": "Scaling each feature to mean 0 and variance 1 over the batch (Ioffe and Szegedy 2015).",
    "instance normalisation": "Scaling each feature to mean 0 and variance 1 over one picture (Ulyanov et al. 2016).",
    "dropout": "Setting features to zero at random (Srivastava et al. 2014).",
    "principal coordinates": "Coordinates along the directions in which pictures vary most (PCA, Pearson 1901).",
    "responsibilit(?:y|ies)": "The probability that a point came from a component, given the point.",
    "perceptual loss": "Difference of two pictures' features in a trained network, not of their pixels (Johnson et al. 2016).",
    "test (?:part|set)": "Pictures that were used neither for training nor for any choice.",
    "validation part": "Pictures that were not trained on, by which choices are made.",
}  # fmt: skip
"""Regular expression, as Python and JavaScript read it, of a term in its forms -> its meaning, with the source of a definition."""
ANY = f"(?<![\\w-])(?:{'|'.join(f'({forms})' for forms in TERMS)})(?![\\w-])"
"""All terms, a group each."""


def glossary() -> gr.HTML:
    """What makes the terms on a page speak; a page needs one."""
    says = list(TERMS.values())
    return gr.HTML("", html_template="", js_on_load=script("glossary", TERMS=ANY, SAYS=says), visible="hidden")
