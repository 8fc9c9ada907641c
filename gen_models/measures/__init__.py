"""The numbers on the cards: what each verb of a model is measured by.

Which measure applies to what, :mod:`gen_models.measures.table` says by verb. Each number has a key, by which cards, papers' numbers
(``Model.reported``) and the page find it:

| key | measure | from |
| --- | --- | --- |
| ``frechet`` | distance between two Gaussians fitted to features | Heusel 2017, arXiv 1706.08500 |
| ``kernel`` | squared maximum mean discrepancy of features, cubic kernel | Binkowski 2018, arXiv 1801.01401 |
| ``kernel-eta0-10``, ... | ``kernel`` for ways to sample in steps: share of fresh noise, number of steps | Song 2021, 2010.02502 |
| ``kernel-last``, ``-average`` | ``kernel`` for the last weights of a training and for their moving average | |
| ``precision``, ``recall`` | share of one set among the other's neighbourhoods | Kynkaanniemi 2019, arXiv 1904.06991 |
| ``memorisation`` | distance to the nearest training picture, against that of unseen pictures | |
| ``parzen`` | log-likelihood under a Gaussian at every sample, where a model's paper reports it | Goodfellow 2014, section 5 |
| ``nll``, ``bits``, ``elbo`` | negative log-likelihood, the same per dimension, lower bound | Burda 2015, arXiv 1509.00519 |
| ``density``, ``density-one`` | log-density of a few coordinates of the pictures, the same under one Gaussian | |
| ``reconstruction`` | squared difference of a picture and what comes back from its code | |
| ``nll-other`` | ``nll`` of the set of pictures of another kind (``opposite``) | Nalisnick 2019, arXiv 1810.09136 |
| ``accuracy-<task>`` | hits of a classifier | |
| ``faces-found``, ``-false`` | pictures with and without a face that are taken for faces | |
| ``l1``, ``ssim``, ``psnr`` | a translation against the true picture | Isola 2017, 1611.07004; Wang 2004 |
| ``kernel-gain`` | how much closer to the target a translation is than its input | |
| ``cycle`` | what a translation there and back changes | Zhu 2017, arXiv 1703.10593 |
| ``labels-pixels``, ``-classes``, ``-overlap`` | labels that a segmenter finds again in a translation | Isola 2017, section 4.1 |
| ``psnr-y``, ``ssim-y``, ``psnr-rgb``, ``ssim-rgb`` | an enlarged picture against the true one | Timofte 2013; Wang 2004 |
| ``identity``, ``agreement-<task>`` | what a feature network sees in both | |
"""
