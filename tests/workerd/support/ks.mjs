/**
 * The two-sample Kolmogorov–Smirnov test: how likely two samples of one distribution differ as much as
 * these (by the asymptotic formula, good for dozens and more).
 */
export function kolmogorovSmirnov(a, b) {
  const [x, y] = [[...a].sort((m, n) => m - n), [...b].sort((m, n) => m - n)];
  let [i, j, most] = [0, 0, 0];
  while (i < x.length && j < y.length) {
    const at = Math.min(x[i], y[j]);
    while (x[i] === at) i++;
    while (y[j] === at) j++;
    most = Math.max(most, Math.abs(i / x.length - j / y.length));
  }
  const n = Math.sqrt((x.length * y.length) / (x.length + y.length));
  const lambda = (n + 0.12 + 0.11 / n) * most;
  let p = 0;
  for (let k = 1; k <= 100; k++) p += 2 * (-1) ** (k - 1) * Math.exp(-2 * (k * lambda) ** 2);
  return lambda < 0.2 ? 1 : Math.min(1, Math.max(0, p));
}
