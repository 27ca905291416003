"""Power over spatial frequency: do generated images hold as much fine detail as real ones?"""

import pathlib

import numpy as np

from gan_jax.analysis.subject import Subject, figure, save

_NYQUIST = 0.5  # cycles per pixel, along an axis


def radial_spectrum(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(frequencies [R], counts [R], power [N, R]): the azimuthal average of every image's power spectrum.

        F(k, l) = sum_mn I(m, n) exp(-2 pi i (k m + l n) / S)
        P(r)    = mean of |F(k, l)|^2 over the counts(r) entries with sqrt(k^2 + l^2), rounded, = r

    Equations 1 and 2 of Durall et al. 2020 (arXiv 2003.01826), whose integral over the angle is a mean here, so that
    white noise is flat. images uint8 [N, S, S, C], taken in [0, 1], colors averaged; frequency r / S in cycles per
    pixel. Rings beyond 0.5, the highest frequency along an axis, hold the corners only: they are kept because with
    them sum_r counts(r) P(r) = S^2 sum_mn I(m, n)^2 (Parseval). P(0) is brightness, the square of the sum of I.
    """
    if images.ndim != 4 or images.shape[1] != images.shape[2] or images.dtype != np.uint8:
        raise ValueError(f"expected square images uint8 [N, S, S, C], got {images.dtype} {images.shape}")
    side = images.shape[1]
    offsets = np.fft.fftfreq(side, 1 / side)
    rings = np.rint(np.hypot(offsets[:, None], offsets)).astype(int).ravel()
    counts = np.bincount(rings)
    power = np.abs(np.fft.fft2(images.mean(axis=3, dtype=np.float64) / 255)).reshape(len(images), -1) ** 2
    # Sorted by ring, every ring is one run of entries.
    sums = np.add.reduceat(power[:, np.argsort(rings, kind="stable")], np.cumsum(counts) - counts, axis=1)
    return np.arange(len(counts)) / side, counts, sums / counts


def spectrum(subject: Subject, folder: pathlib.Path) -> dict:
    """spectrum.png: mean power of test, training and generated images, and its ratio to the test images' power.

    log10(P / P_test) of mean powers at frequencies in (0, 0.5]: 0.3 is twice the power. The training images' ratio is
    what chance leaves at these numbers of images.
    """
    data, most = subject.dataset, subject.num_images
    kinds = {
        "test": subject.some(data.test, most).images,
        "train": subject.some(data.train, most).images,
        "generated": subject.generated.images,
    }
    spectra = {kind: radial_spectrum(images)[2] for kind, images in kinds.items()}
    frequencies = radial_spectrum(kinds["test"][:1])[0]
    kept = (frequencies > 0) & (frequencies <= _NYQUIST)
    # A power of 0 (flat images) has no logarithm: below 1e-12, rounding is all there is.
    logs = {kind: np.log10(np.maximum(power, 1e-12)) for kind, power in spectra.items()}
    means = {kind: np.log10(np.maximum(power.mean(axis=0), 1e-12)) for kind, power in spectra.items()}
    ratios = {kind: (means[kind] - means["test"])[kept] for kind in ("generated", "train")}
    _draw(frequencies[kept], {kind: log[:, kept] for kind, log in logs.items()}, means, kept, ratios, folder)
    largest = {kind: int(np.abs(ratio).argmax()) for kind, ratio in ratios.items()}
    return {
        "largest_log10_ratio": float(ratios["generated"][largest["generated"]]),
        "at_cycles_per_pixel": float(frequencies[kept][largest["generated"]]),
        "largest_log10_ratio_train": float(ratios["train"][largest["train"]]),
        "mean_absolute_log10_ratio": float(np.abs(ratios["generated"]).mean()),
        "mean_absolute_log10_ratio_train": float(np.abs(ratios["train"]).mean()),
        "cycles_per_pixel": frequencies[kept].tolist(),
        **{f"log10_power_{kind}": mean[kept].tolist() for kind, mean in means.items()},
        **{f"num_{kind}": len(images) for kind, images in kinds.items()},
    }


def _draw(frequencies, logs, means, kept, ratios, folder) -> None:
    drawn, ((power, ratio),) = figure(1, 2, 12, 4.5)
    colors = {"test": "black", "train": "tab:blue", "generated": "tab:red"}
    for kind, color in colors.items():
        low, high = np.percentile(logs[kind], (10, 90), axis=0)
        if kind != "train":  # Its band would hide the test images', which it equals.
            power.fill_between(frequencies, low, high, color=color, alpha=0.15, label=f"{kind}: 10 to 90 % of images")
        power.plot(frequencies, means[kind][kept], color=color, label=f"{kind}: mean")
    power.set(
        xlabel="frequency (cycles per pixel)", ylabel="log10 of power (grey in [0, 1])", title="Radial power spectrum"
    )
    for kind, values in ratios.items():
        ratio.plot(frequencies, values, color=colors[kind], marker=".", label=f"{kind} / test")
    ratio.axhline(0, color="black", linewidth=0.8)
    ratio.set(xlabel="frequency (cycles per pixel)", ylabel="log10 of power ratio", title="Power against test images")
    for axes in (power, ratio):
        axes.legend(fontsize=8)
    save(drawn, folder / "spectrum.png")
