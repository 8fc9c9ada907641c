"""Images per second of our DCGAN step against a plain script: ``python -m benchmarks.training [--quick]``.

The baseline trains the same two networks with the same losses in the common style: float32, a ``DataLoader`` with two workers over
picture files opened by PIL, the default memory layout, one pass for real and one for fake pictures, unfused Adam. Both read the
same folder of 128-pixel JPEG files (drawn by this script, so that no data set is needed), in turns, in one run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks._report import Bar, report
from gen_models.data import Batches, load_data
from gen_models.gans.dcgan import DCGAN
from gen_models.losses import hinge_fake, hinge_real
from gen_models.train import Run

BATCH = 64


def draw_pictures(folder: Path, count: int) -> None:
    """Smooth random colour pictures, 128 pixels, JPEG."""
    random = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        small.resize((128, 128), Image.Resampling.BICUBIC).save(folder / f"{number:05}.jpg", quality=87)


class Files(Dataset):
    """Picture files, opened one by one."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.glob("*.jpg"))
        self.transform = transforms.Compose([
            transforms.Resize(64), transforms.RandomHorizontalFlip(), transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(Image.open(self.files[index]).convert("RGB"))


class Plain:
    """The common style."""

    def __init__(self, folder: Path) -> None:
        model = DCGAN(**DCGAN.recipes["faces"].arguments)
        self.generator, self.discriminator = model.generator, model.discriminator
        self.g = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.d = torch.optim.Adam(self.discriminator.parameters(), lr=4e-4, betas=(0.5, 0.999))
        self.loader = DataLoader(Files(folder), BATCH, shuffle=True, drop_last=True, num_workers=2, persistent_workers=True)
        self.batches = iter(self.loader)

    def step(self) -> None:
        """One update of each network."""
        try:
            real = next(self.batches)
        except StopIteration:
            self.batches = iter(self.loader)
            real = next(self.batches)
        fake = self.generator(torch.randn(BATCH, 100))
        self.d.zero_grad()
        loss = hinge_real(self.discriminator(real)) + hinge_fake(self.discriminator(fake.detach()))
        loss.backward()
        self.d.step()
        self.g.zero_grad()
        (-self.discriminator(fake).mean()).backward()
        self.g.step()


def speed(step, seconds: float) -> float:
    """Images per second over about ``seconds``."""
    step()
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        steps += 1
    return steps * BATCH / (time.perf_counter() - start)


def main() -> int:
    """Measure in turns, print the table, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.training", description=__doc__)
    options.add_argument("--quick", action="store_true", help="shorter turns, under a minute")
    quick = options.parse_args().quick
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_pictures(folder, 500 if quick else 2000)
        recipe = DCGAN.recipes["faces"]
        data = load_data(f"folder:{folder}", "train", 64)
        run = Run(DCGAN(**recipe.arguments), recipe, Accelerator(mixed_precision=recipe.precision, cpu=True),
                  Batches(data, BATCH, mirror=True), folder / "run")  # fmt: skip
        plain = Plain(folder)
        found: dict[str, list[float]] = {"plain": [], "gallery": []}
        for _ in range(2 if quick else 5):
            found["plain"].append(speed(plain.step, 5 if quick else 12))
            found["gallery"].append(speed(lambda: run.update(check=False), 5 if quick else 12))
        del plain
    medians = {key: statistics.median(values) for key, values in found.items()}
    print(f"DCGAN 64 pixels, width 32, batch {BATCH}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for key, values in found.items():
        print(f"{key:10}{medians[key]:8.0f} images/s   (turns: {', '.join(f'{value:.0f}' for value in values)})")
    return report([Bar("training, ratio to the plain script", medians["gallery"] / medians["plain"], 1.5, at_least=True)])


if __name__ == "__main__":
    sys.exit(main())
