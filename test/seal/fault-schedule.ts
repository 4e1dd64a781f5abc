/** What a schedule of faults can do to an HSM, its agent and the engine. */
export type FaultKind =
  | 'hang'
  | 'crash'
  | 'kill agent'
  | 'stop agent'
  | 'dropped session'
  | 'logged out'
  | 'device error'
  | 'session limit'
  | 'token away'
  | 'kill engine'
  | 'kill engine while the token is away';

const KINDS: readonly FaultKind[] = [
  'hang',
  'crash',
  'kill agent',
  'stop agent',
  'dropped session',
  'logged out',
  'device error',
  'session limit',
  'token away',
  'kill engine',
  'kill engine while the token is away',
];

export interface Fault {
  readonly kind: FaultKind;
  /** Which function of the library it hits, where it hits one. */
  readonly at: 'C_EncryptInit' | 'C_GenerateRandom';
  /** How often, where it can be counted; from 1 to 4, so that each rung of the ladder is needed at times. */
  readonly times: number;
  /** How long, where it lasts; milliseconds. */
  readonly forMs: number;
  /** Quiet before it; milliseconds. */
  readonly afterMs: number;
}

/** Of this run: SEALEDVAULT_FAULT_SEED, or a new one, which is printed. */
export function seedOfRun(): number {
  const seed = Number(process.env['SEALEDVAULT_FAULT_SEED'] ?? Date.now() % 1_000_000);
  console.log(`SEALEDVAULT_FAULT_SEED=${seed}`);
  return seed;
}

/** How long faults go on in this run, in milliseconds: SEALEDVAULT_FAULT_SECONDS, 20 by default. */
export const RUN_MS: number = Number(process.env['SEALEDVAULT_FAULT_SECONDS'] ?? 20) * 1000;

/** A small generator with a seed, so that a schedule can be run again (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Faults without end; the same ones in the same order for a seed, each kind once before one comes again. */
export function* schedule(seed: number): Generator<Fault, never> {
  const random = seeded(seed);
  for (;;) {
    const left = [...KINDS];
    while (left.length > 0) {
      const [kind] = left.splice(Math.floor(random() * left.length), 1);
      if (kind === undefined) continue;
      yield {
        kind,
        at: random() < 0.5 ? 'C_EncryptInit' : 'C_GenerateRandom',
        times: 1 + Math.floor(random() * 4),
        forMs: Math.round(200 + random() * 1_300),
        afterMs: Math.round(50 + random() * 400),
      };
    }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
