import type { CeremonyContext } from './context.ts';
import { CeremonyFailure } from './failure.ts';

/**
 * `ceremony VERB`: what people do in a ceremony, each with their own kubeconfig, gpg and eyes.
 *
 * I1  A share in plaintext is in this process only, for one step, and goes to nothing but the engine, over TLS.
 * I2  What is signed is shown before, and made from the manifest itself, whose digest is computed here.
 * I3  Nothing is sent without a yes. Exit codes: 0 done, 1 not done, 2 wrong usage.
 */
type Verb = (context: CeremonyContext) => Promise<number>;

const VERBS: Readonly<Record<string, () => Promise<Verb>>> = {
  plan: async () => (await import('./plan.ts')).plan,
  status: async () => (await import('./status.ts')).status,
  approve: async () => (await import('./approve.ts')).approve,
  'key-test': async () => (await import('./key-test.ts')).keyTest,
  fetch: async () => (await import('./fetch.ts')).fetchShare,
  submit: async () => (await import('./submit.ts')).submit,
  receipt: async () => (await import('./receipt.ts')).receipt,
  drill: async () => (await import('./drill.ts')).drill,
  witness: async () => (await import('./witness.ts')).witness,
  report: async () => (await import('./report.ts')).report,
  verify: async () => (await import('./verify.ts')).verify,
};

/**
 * @param verb one of options.ts
 * @returns the exit code
 */
export async function runCeremony(verb: string, context: CeremonyContext): Promise<number> {
  const load = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (load === undefined) throw new TypeError('no such verb');
  try {
    return await (await load())(context);
  } catch (error) {
    if (!(error instanceof CeremonyFailure)) throw error;
    const { message, hint } = error;
    context.terminal.note(hint === undefined ? `${message}.` : `${message}: ${hint}.`);
    return error.exitCode;
  }
}
