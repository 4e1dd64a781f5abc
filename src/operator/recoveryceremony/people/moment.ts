const SKEW_MS = 300_000;

/**
 * The moment at which a signature is judged: a little later than the clock here says, because a person's clock may be
 * ahead of it, and OpenPGP refuses what was signed in the future.
 * @param ms milliseconds since the epoch
 */
export function signedBy(ms: number): Date {
  return new Date(ms + SKEW_MS);
}
