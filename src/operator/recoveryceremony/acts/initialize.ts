import { CeremonyCalls } from '../../../client/ceremony.ts';
import type { VaultApi } from '../../../client/factory.ts';
import type { InitRequest } from '../../../client/messages.ts';
import { askEngine } from '../engine.ts';
import { readMessages } from '../messages.ts';
import { note } from '../note.ts';
import { type Manifest, manifestDigest } from '../plan/manifest.ts';
import { type ActInput, type ActOutcome, waiting } from './act.ts';
import { deliver } from './deliver.ts';
import { sharesInForce } from './in-force.ts';

/** Initializes the vault, or finds that this ceremony did, and delivers. */
export async function initialize(input: ActInput): Promise<ActOutcome> {
  const { manifest, context, ending, evidence } = input;
  const client = await input.client();
  if (client === undefined)
    return waiting('Initializing', 'VaultNotReachable', 'No pod of the vault can be reached yet.');
  const exchange = await askEngine(client, initRequest(manifest), ending !== 'no', context.signal);
  switch (exchange.engine) {
    case 'empty':
      return { state: 'ended', phase: 'Initializing', note: exchange.note };
    case 'retry':
      return { state: 'waiting', phase: 'Initializing', note: exchange.note };
    case 'foreign':
      return { state: 'failed', phase: 'Initializing', note: exchange.note };
    case 'answered':
      break;
  }
  const { recoveryKeys: shares, rootToken } = exchange;
  const holder = manifest.custodians?.find(({ name }) => name === manifest.rootTokenTo);
  const messages = readMessages(manifest, { shares, rootToken }, holder);
  if (messages === undefined)
    return {
      state: 'failed',
      phase: 'Initializing',
      note: note(
        'EngineAnswerUnusable',
        'The vault answered with something that is not one OpenPGP message for each custodian.',
      ),
    };
  const now = context.clock.now();
  evidence.add({ who: 'engine', step: 'shares-made', facts: counts(manifest) }, now);
  const { names: delivered, conflict } = await deliver(messages, input);
  const made = { phase: 'Delivering', messages, delivered, generated: true } as const;
  if (conflict !== undefined) return { ...made, state: 'failed', note: conflict };
  return {
    ...made,
    state: 'done',
    note: note('Committed', 'The ceremony is complete.'),
    generation: await generationOf(client, input),
  };
}

/** The body of PUT sys/init. The same plan always asks the same. */
export function initRequest(manifest: Manifest): InitRequest {
  const { custodians = [], threshold = 0, rootTokenTo, ceremony } = manifest;
  const holder = custodians.find(({ name }) => name === rootTokenTo);
  return {
    recovery_shares: custodians.length,
    recovery_threshold: threshold,
    recovery_pgp_keys: custodians.map(({ publicKey }) => publicKey),
    recovery_custodians: custodians.map(({ name }) => name),
    ...(holder === undefined ? { omit_root_token: true } : { root_token_pgp_key: holder.publicKey }),
    ceremony_id: ceremony.uid,
    ceremony_digest: manifestDigest(manifest),
  };
}

export function counts({ custodians = [], threshold = 0 }: Manifest): Record<string, string> {
  return { shares: String(custodians.length), threshold: String(threshold) };
}

// The vault may not be unsealed yet; what is delivered first is the first set.
async function generationOf(client: VaultApi, { context }: ActInput): Promise<number> {
  return (await sharesInForce(new CeremonyCalls(client), context.signal))?.generation ?? 1;
}
