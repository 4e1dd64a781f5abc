import type { Physical } from '../../src/engine/physical/physical.ts';

/**
 * A storage that takes its time: each call waits a random while before it is made and before it is answered, so that
 * calls of different requests overtake each other as on a database. What it does, and in which order one caller's
 * calls are done, stays as it was.
 * @param random yields numbers in [0, 1); seeded, a run can be repeated
 */
export function slowPhysical(physical: Physical, random: () => number): Physical & { slow: boolean } {
  const pause = async (): Promise<void> => {
    if (!slow.slow) return;
    const turns = Math.floor(random() * 6);
    if (turns === 5) await new Promise((resolve) => setTimeout(resolve, 1 + random() * 2));
    else for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const slowly = async <T>(call: () => Promise<T>): Promise<T> => {
    await pause();
    const answer = await call();
    await pause();
    return answer;
  };
  const slow = {
    slow: true,
    type: physical.type,
    get: (key: string) => slowly(() => physical.get(key)),
    write: (operations: Parameters<Physical['write']>[0]) => slowly(() => physical.write(operations)),
    list: (prefix: string, options?: Parameters<Physical['list']>[1]) =>
      slowly(() => physical.list(prefix, options)),
    close: () => physical.close(),
  };
  return slow;
}
