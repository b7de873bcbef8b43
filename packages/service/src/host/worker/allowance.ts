/** Whether one more is allowed now; counts it when it is. */
export type Allowance = () => boolean;

/** So many at once, and so many a second from then on; `now` is in monotonic ms. */
export function createAllowance(
  bounds: { readonly atOnce: number; readonly perSecond: number },
  now: () => number,
): Allowance {
  let left = bounds.atOnce;
  let at = now();
  return () => {
    const since = now() - at;
    at += since;
    left = Math.min(bounds.atOnce, left + (since * bounds.perSecond) / 1_000);
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}
