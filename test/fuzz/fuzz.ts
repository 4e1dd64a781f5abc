import fc from 'fast-check';

/** How long each target is fuzzed; CI sets minutes, a run by hand takes a moment. */
const seconds = Number(process.env['SEALEDVAULT_FUZZ_SECONDS'] ?? '5');

/**
 * Runs a property until the time is over. A failure prints its seed and path, by which fast-check replays it
 * (`FUZZ_SEED=… FUZZ_PATH=…`); every finding becomes an example of its target.
 */
export async function fuzz<T>(
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => Promise<void> | void,
  examples: readonly T[] = [],
): Promise<void> {
  const seed = process.env['FUZZ_SEED'];
  const path = process.env['FUZZ_PATH'];
  await fc.assert(
    fc.asyncProperty(arbitrary, async (value) => {
      await check(value);
    }),
    {
      numRuns: 10_000_000,
      interruptAfterTimeLimit: seconds * 1000,
      markInterruptAsFailure: false,
      examples: examples.map((each) => [each]),
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(path === undefined ? {} : { path }),
    },
  );
}
