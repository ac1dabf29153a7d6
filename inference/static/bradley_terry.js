// Which model do people choose? Bradley and Terry 1952, by the iteration of Hunter 2004, eq. 3.

const Z = 1.959964; // of a 95 % interval

/**
 * For each model the chance to be chosen over another one of them, with a 95 % interval.
 *
 * @param {number[][]} wins - [i][j]: how often model i was chosen over model j; a choice of neither is half of
 *   one for each.
 * @returns {{mean: number, low: number, high: number, strength: number}[]} chances, and the logarithm of the
 *   strength, 0 on the mean. The interval is that of the likelihood's curvature, taken on the scale of the
 *   log-odds; it takes the choices for independent.
 */
function bradleyTerry(wins) {
  // Half a choice for each side of every pair: else one that always won would be infinitely strong. Of two
  // models the log-odds are then those of Haldane and Anscombe, log((w + 1/2) / (l + 1/2)).
  const won = wins.map((row, i) => row.map((count, j) => (i === j ? 0 : count + 0.5)));
  const strengths = fit(won);
  const chance = strengths.map((a) => strengths.map((b) => 1 / (1 + Math.exp(b - a))));
  const information = won.map((row, i) =>
    row.map((count, j) => (count + won[j][i]) * chance[i][j] * chance[j][i]),
  );
  const covariance = inverse(information);
  return strengths.map((strength, i) => summarize(i, strength, chance, covariance));
}

/** Logarithms of the strengths that make the choices most likely. */
function fit(won) {
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  let strengths = won.map(() => 0);
  for (let round = 0; round < 10000; round++) {
    const next = strengths.map((own, i) => {
      const met = strengths.map((other, j) => (won[i][j] + won[j][i]) / (Math.exp(own) + Math.exp(other)));
      return Math.log(sum(won[i]) / sum(met));
    });
    const mean = sum(next) / next.length;
    const moved = Math.max(...next.map((value, i) => Math.abs(value - mean - strengths[i])));
    strengths = next.map((value) => value - mean);
    if (moved < 1e-12) break;
  }
  return strengths;
}

/**
 * Covariance of the strengths. Nothing tells of what is common to all of them, so the information, -weights
 * beside the diagonal and 0 as the sum of a row, has no inverse but on their differences: that of the matrix
 * with 1 / n added everywhere, which changes nothing in those.
 */
function inverse(weights) {
  const n = weights.length;
  const rows = weights.map((row, i) => {
    const total = row.reduce((a, b) => a + b, 0);
    const left = row.map((weight, j) => (i === j ? total : -weight) + 1 / n);
    return [...left, ...row.map((_, j) => Number(i === j))];
  });
  for (let i = 0; i < n; i++) {
    // Positive definite: no pivot is 0.
    rows[i] = rows[i].map((value) => value / rows[i][i]);
    for (let k = 0; k < n; k++) {
      const factor = rows[k][i];
      if (k !== i) rows[k] = rows[k].map((value, j) => value - factor * rows[i][j]);
    }
  }
  return rows.map((row) => row.slice(n));
}

/** Mean over the others of the chance to be chosen, and its interval. */
function summarize(i, strength, chance, covariance) {
  const others = chance.length - 1;
  const mean = (chance[i].reduce((a, b) => a + b, 0) - 0.5) / others;
  const slope = chance[i].map((p, j) => (j === i ? 0 : (-p * (1 - p)) / others));
  slope[i] = -slope.reduce((a, b) => a + b, 0);
  const variance = slope.reduce(
    (sum, a, j) => sum + slope.reduce((part, b, k) => part + a * b * covariance[j][k], 0),
    0,
  );
  const logit = Math.log(mean / (1 - mean));
  const error = Math.sqrt(variance) / (mean * (1 - mean));
  const [low, high] = [-Z, Z].map((z) => 1 / (1 + Math.exp(-logit - z * error)));
  return { mean, low, high, strength };
}
