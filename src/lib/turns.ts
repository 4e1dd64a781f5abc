/** Milliseconds of work after which others have their turn. */
const TURN_MS = 20;

/**
 * What a client orders a thousand times in one request must not hold everybody else for as long.
 * @returns what is called before each piece of work: a promise to wait for, when it is the others' turn
 */
export function turns(): () => Promise<void> | undefined {
  let began = performance.now();
  return () => {
    if (performance.now() - began < TURN_MS) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        began = performance.now();
        resolve();
      });
    });
  };
}

/** The results of a work for each item, in their order; work that waits for something else is waited for at the end. */
export async function inTurns<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => R | Promise<R>,
): Promise<R[]> {
  const pause = turns();
  const results: (R | Promise<R>)[] = [];
  for (const [index, item] of items.entries()) {
    const others = pause();
    if (others !== undefined) await others;
    const result = work(item, index);
    // A failure is told at the end: until then nobody listens to it.
    if (result instanceof Promise) result.catch(() => undefined);
    results.push(result);
  }
  return Promise.all(results);
}
