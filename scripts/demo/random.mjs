// Chance that is the same on every machine: one seed, one programme.

/** A generator (mulberry32) with the few distributions that the demo needs. */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (from, to) => from + next() * (to - from);
  const whole = (from, to) => Math.floor(between(from, to + 1));
  const chance = (probability) => next() < probability;
  const pick = (list) => list[whole(0, list.length - 1)];
  /** How long one waits for something that takes `mean` on average. */
  const exponential = (mean) => -mean * Math.log(1 - next());
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());

  function shuffled(list) {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = whole(0, i);
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  }

  /** A function that draws from `list`, each as often as its weight says. */
  function drawer(list, weightOf) {
    let sum = 0;
    const sums = list.map((item) => (sum += weightOf(item)));
    return () => {
      const at = next() * sum;
      let [low, high] = [0, sums.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (sums[middle] <= at) low = middle + 1;
        else high = middle;
      }
      return list[low];
    };
  }

  return { between, whole, chance, pick, exponential, normal, shuffled, drawer };
}
