/** Where progress lines go; tests and demos pass their own. */
export type Report = (line: string) => void;

/** Prints one line on the terminal (standard error, so that results on standard output stay clean). */
export const toTerminal: Report = (line) => {
  process.stderr.write(`${line}\n`);
};

/**
 * Seconds since a moment, for people.
 * @param since A value of `performance.now()`.
 * @returns For instance `12.3 s` or `4 min 05 s`.
 */
export function elapsed(since: number): string {
  const seconds = (performance.now() - since) / 1000;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/**
 * Runs a step that may take long, with a line at its start, one every 15 seconds, and one at its end.
 * @param report Receives the lines.
 * @param title What is being done.
 * @param work The step.
 * @param expected How long it usually takes, in words.
 * @returns What the step returned.
 * @throws Whatever the step throws, after a line that says so.
 */
export async function step<T>(
  report: Report,
  title: string,
  work: () => Promise<T>,
  expected?: string,
): Promise<T> {
  const started = performance.now();
  report(`• ${title}${expected === undefined ? '' : ` (usually ${expected})`}`);
  const ticker = setInterval(() => report(`  … ${title}: ${elapsed(started)}`), 15_000);
  ticker.unref();
  try {
    const result = await work();
    report(`  ✓ ${title}: ${elapsed(started)}`);
    return result;
  } catch (error: unknown) {
    report(`  ✗ ${title}: failed after ${elapsed(started)}`);
    throw error;
  } finally {
    clearInterval(ticker);
  }
}
