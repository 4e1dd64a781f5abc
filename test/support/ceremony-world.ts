import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { canonicalJson, digestOf } from '../../src/ceremony/canonical.ts';
import {
  engineStatementText,
  engineStatementV1,
  type EngineStatement,
} from '../../src/ceremony/engine-statement.ts';
import { appended, type EvidenceEntry, headOf } from '../../src/ceremony/evidence.ts';
import { commitmentTo } from '../../src/ceremony/key-test.ts';
import { proofKeyOf, proveShare } from '../../src/ceremony/share-proof.ts';
import {
  approvalText,
  type CeremonyName,
  keyTestText,
  possessionText,
  receiptText,
  witnessText,
} from '../../src/ceremony/statement.ts';
import type { JsonObject } from '../../src/lib/json.ts';
import { Secret } from '../../src/lib/secret.ts';
import type { Gnupg } from './gnupg.ts';

/** The people of a ceremony whose keys are in one GnuPG: two custodians, an approver, a witness. */
export const CUSTODIANS: readonly string[] = ['ada', 'grace'];
export const PEOPLE: readonly string[] = [...CUSTODIANS, 'eve', 'wendy'];

/** A plan as the operator freezes it. */
export function manifestOf(gnupg: Gnupg, more: JsonObject = {}): JsonObject {
  const person = (name: string): JsonObject => ({
    name,
    fingerprint: gnupg.fingerprint(name).toLowerCase(),
    encryptionKey: '',
    algorithm: 'curve25519Legacy',
    publicKey: gnupg.publicKey(name),
  });
  return {
    version: 1,
    ceremony: { namespace: 'vaults', name: 'rotate', uid: '4fd6a1d2-7f55-4c1b-a6a1-5f0c9c7b7f10' },
    type: 'RotateRecovery',
    vault: { name: 'demo', uid: 'b8a1' },
    clusterId: 'c1',
    engineVersion: '0.1.0',
    seal: { type: 'pkcs11', keyLabel: 'root' },
    threshold: 2,
    custodians: CUSTODIANS.map(person),
    people: ['eve', 'wendy'].map(person),
    approvals: { approvers: ['eve'], required: 1 },
    witnesses: { names: ['wendy'], required: 1 },
    expiresAt: '2030-01-01T00:00:00Z',
    nonce: randomBytes(32).toString('base64'),
    ...more,
  };
}

export function nameOf(manifest: JsonObject): CeremonyName {
  return { ...(manifest['ceremony'] as unknown as CeremonyName), digest: digestOf(manifest) };
}

/** Evidence of a whole ceremony, with everything in it right. */
export function wholeEvidence(gnupg: Gnupg, manifest: JsonObject): JsonObject {
  const name = nameOf(manifest);
  const now = Date.now();
  let entries: readonly EvidenceEntry[] = [];
  const add = (who: string, step: string, facts: Record<string, string> = {}): void => {
    const time = new Date(now + entries.length * 1000).toISOString();
    entries = appended(entries, name.digest, { time, who, step, facts });
  };
  const statements: JsonObject[] = [];
  const state = (person: string, role: string, text: string): void => {
    const signature = gnupg.sign(person, text);
    statements.push({ person, role, text, signature, publicKey: gnupg.publicKey(person) });
  };
  const proofs: JsonObject[] = [];
  add('operator', 'planned', { type: 'RotateRecovery' });
  state('eve', 'Approver', approvalText(name, 'eve'));
  add('eve', 'approved');
  if (manifest['keyTest'] !== undefined) {
    const answers = CUSTODIANS.map((custodian) => [custodian, randomBytes(32).toString('hex')] as const);
    const asked = answers.map(([custodian, answer]) => [custodian, commitmentTo(name, custodian, answer)]);
    add('operator', 'key-test', Object.fromEntries(asked));
    for (const [custodian, answer] of answers) {
      state(custodian, 'Custodian', keyTestText(name, { custodian, answer }));
      add(custodian, 'key-tested', { answer });
    }
  }
  add('engine', 'shares-made');
  for (const custodian of CUSTODIANS) {
    const sha256 = randomBytes(32).toString('hex');
    state(custodian, 'Custodian', receiptText(name, { custodian, sha256, storage: `safe of ${custodian}` }));
    add(custodian, 'received', { sha256, stored: `safe of ${custodian}` });
    using share = Secret.own(new Uint8Array(randomBytes(33)));
    const text = possessionText(name, custodian);
    const proofKey = proofKeyOf(share);
    proofs.push({ custodian, text, proof: proveShare(share, text), proofKey });
    add(custodian, 'proved', { proofKey });
  }
  add('engine', 'committed');
  const deviations = 'a fire drill for ten minutes';
  state(
    'wendy',
    'Witness',
    witnessText(name, { person: 'wendy', evidence: headOf(entries, name.digest), deviations }),
  );
  add('wendy', 'witnessed');
  return {
    manifest,
    entries,
    statements,
    proofs,
    attestation: attestationOf({ manifest, entries } as never),
  } as never;
}

const engine = generateKeyPairSync('ed25519');
/** Base64 of the engine's public key. */
export const ENGINE_KEY: string = engine.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');

interface Attested {
  readonly manifest: JsonObject & { readonly clusterId: string; readonly ceremony: { readonly uid: string } };
  readonly entries: readonly EvidenceEntry[];
}

/** What an engine signs over evidence; `claims` is what it says otherwise. */
export function attestationOf(evidence: JsonObject, claims: Partial<EngineStatement> = {}): JsonObject {
  const { manifest, entries } = evidence as unknown as Attested;
  const digest = digestOf(manifest);
  const time = entries.at(-1)?.time ?? '';
  const committed = entries.some(({ step }: EvidenceEntry) => step === 'committed');
  const statement = engineStatementText({
    cluster: manifest.clusterId,
    uid: manifest.ceremony.uid,
    digest,
    type: 'rotate-recovery',
    state: committed ? 'committed' : 'cancelled',
    given: 2,
    proven: committed ? 2 : 0,
    custodians: 2,
    evidence: headOf(entries, digest),
    time,
    ...claims,
  });
  return {
    head: headOf(entries, digest),
    statement,
    publicKey: ENGINE_KEY,
    signature: signByEngine(statement),
    engineTime: time,
  };
}

/** What an engine signed before it said what it knows. */
export function attestationV1(evidence: JsonObject): JsonObject {
  const { statement: _, ...rest } = attestationOf(evidence);
  const { manifest, entries } = evidence as unknown as Attested;
  const signature = signByEngine(engineStatementV1(headOf(entries, digestOf(manifest))));
  return { ...rest, signature };
}

export function signByEngine(text: string): string {
  return sign(null, Buffer.from(text), engine.privateKey).toString('base64');
}

/** The text as the operator stores it. */
export function stored(value: JsonObject): string {
  return canonicalJson(value);
}
