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

/** Switches of the verbs: flags that take no value. */
export const CEREMONY_SWITCHES: readonly string[] = [
  'yes',
  'qr',
  'root-token',
  'key-test',
  'no-proof',
  'open',
];

export const CEREMONY_USAGE: string = `Usage: kubectl sealedvault ceremony VERB [options]

  plan NAME|FILE                          show the plan in words, and its digest (--out FILE: keep the plan)
  status NAME                             show where the ceremony stands, and whom it waits for
  approve NAME|FILE --as PERSON           agree to the plan, signed with your OpenPGP key
  key-test NAME|FILE --as CUSTODIAN       decrypt the test message and sign the answer (--message FILE)
  fetch NAME --as CUSTODIAN               get your encrypted share (--root-token: the root token of the requester;
                                          --key-test: your test message; --out FILE, --qr in the terminal, --svg FILE)
  submit NAME|FILE --as CUSTODIAN         give your share of today to the vault (--share FILE or --from CEREMONY)
  receipt NAME|FILE --as CUSTODIAN        say that your new share came, and prove it (--storage TEXT, or lost; --no-proof)
  drill NAME|FILE --as CUSTODIAN          prove that you have your share (--share FILE or --from CEREMONY)
  witness NAME|FILE --as WITNESS          sign the evidence (--deviations TEXT)
  report NAME|FILE                        write the evidence as JSON and as a page (--out BASENAME)
  verify FILE                             check a report without a network (--digest, --engine-key; --open: it goes on)

NAME is a RecoveryCeremony in the cluster, FILE what plan --out or report wrote.
  --kubeconfig FILE --context NAME --namespace NAME   the cluster, as for kubectl
  --address URL --ca-cert FILE --tls-server-name NAME the vault, also VAULT_ADDR, VAULT_CACERT, VAULT_TLS_SERVER_NAME
  --share FILE        your encrypted share; - is standard input, where a decrypted one is taken too
  --key FINGERPRINT   the key to sign with, when it is not the one in the plan
  --out FILE          approve, key-test, receipt, drill, witness: write what would be sent; --in FILE sends it from elsewhere
  --yes               do not ask
`;

/** @returns the exit code */
export async function runCeremony(context: CeremonyContext): Promise<number> {
  const [verb = '', ...words] = context.words;
  const load = VERBS[verb];
  if (load === undefined || !Object.hasOwn(VERBS, verb)) {
    context.terminal.note(...CEREMONY_USAGE.trimEnd().split('\n'));
    return 2;
  }
  try {
    return await (await load())({ ...context, words });
  } catch (error) {
    if (!(error instanceof CeremonyFailure)) throw error;
    const { message, hint } = error;
    context.terminal.note(hint === undefined ? `${message}.` : `${message}: ${hint}.`);
    return error.exitCode;
  }
}
