"use strict";
// The normal distribution's quantile at 0.975.
const Z = 1.959963984540054;

/** Wilson's 95% score interval of a share: [low, high]. */
function wilsonInterval(successes, trials) {
  const share = successes / trials, spread = Z * Z / trials;
  const middle = (share + spread / 2) / (1 + spread);
  const half = Z / (1 + spread) * Math.sqrt(share * (1 - share) / trials + spread / (4 * trials));
  // At the ends the bounds are 0 and 1 exactly, which rounding would miss.
  return [successes === 0 ? 0 : middle - half, successes === trials ? 1 : middle + half];
}

/** Exact two-sided binomial p-value against a chance of 1/2. At 1/2 the two tails are alike. */
function binomialPValue(successes, trials) {
  const extreme = Math.max(successes, trials - successes);
  // Logarithms: 2^-trials is 0 in floating point from 1,075 trials on.
  let logChoose = 0, tail = 0;
  for (let count = trials; count >= extreme; count--) {
    tail += Math.exp(logChoose - trials * Math.LN2);
    logChoose += Math.log(count) - Math.log(trials - count + 1);
  }
  return Math.min(1, 2 * tail);
}

function percent(share) {
  return (100 * share).toFixed(1) + "%";
}

/** What a result says, for a reader without statistics. */
function meaning(right, total) {
  const [low, high] = wilsonInterval(right, total), share = `${right} of ${total} right (${percent(right / total)})`;
  if (binomialPValue(right, total) >= 0.05) {
    return `${share}: guessing may do as well. These answers do not show that you can tell real from generated ` +
      `images, nor that you cannot: they fit any true share from ${percent(low)} to ${percent(high)}.`;
  }
  if (2 * right > total) {
    return `${share}: better than guessing, which gives 50%. You can tell real from generated images.`;
  }
  return `${share}: worse than guessing, which gives 50%. You see a difference, but take the generated images for ` +
    "the real ones.";
}
