import { beforeAll, expect, test } from 'vitest';
import { createMessage, type PrivateKey, sign } from 'openpgp';
import { approvalText, witnessText } from '../../../../src/ceremony/statement.ts';
import { inspectCustodianKey } from '../../../../src/ceremony/pgp.ts';
import { consentOf, witnessesOf } from '../../../../src/operator/recoveryceremony/approvals/counted.ts';
import { judgeApproval } from '../../../../src/operator/recoveryceremony/approvals/judge.ts';
import type { CeremonyApproval } from '../../../../src/operator/recoveryceremony/approvals/kind.ts';
import { Evidence } from '../../../../src/operator/recoveryceremony/evidence/evidence.ts';
import { bundleText, parseBundle } from '../../../../src/operator/recoveryceremony/evidence/bundle.ts';
import {
  ceremonyName,
  type Manifest,
  manifestText,
  parseManifest,
} from '../../../../src/operator/recoveryceremony/plan/manifest.ts';
import { custodianKey } from './world.ts';

const day = 86_400_000;
const now = Date.now();
let manifest: Manifest;
let privateKey: PrivateKey;

beforeAll(async () => {
  const pair = await custodianKey('boss', 2 * 86_400);
  ({ privateKey } = pair);
  const found = await inspectCustodianKey(pair.publicKey, new Date(now + 2_000));
  if (!found.ok) throw new Error(found.message);
  const { key } = found;
  manifest = {
    version: 1,
    ceremony: { namespace: 'vaults', name: 'init', uid: 'uid' },
    type: 'Initialize',
    vault: { name: 'demo', uid: 'uid' },
    clusterId: '',
    engineVersion: '0.1.0',
    seal: { type: 'pkcs11' },
    people: [
      {
        name: 'boss',
        fingerprint: key.fingerprint,
        encryptionKey: key.encryptionKeyFingerprint,
        algorithm: key.algorithm,
        publicKey: key.binaryBase64,
      },
    ],
    approvals: { approvers: ['boss'], required: 1 },
    expiresAt: new Date(now + 9 * day).toISOString(),
    nonce: 'nonce',
  };
});

async function approved(): Promise<Evidence> {
  const evidence = Evidence.from(manifest, undefined);
  const signature = await sign({
    message: await createMessage({ binary: Buffer.from(approvalText(ceremonyName(manifest), 'boss')) }),
    signingKeys: privateKey,
    detached: true,
  });
  const approval = {
    metadata: { name: 'a' },
    spec: {
      ceremonyRef: { name: 'init' },
      person: 'boss',
      role: 'Approver',
      digest: ceremonyName(manifest).digest,
      signature: String(signature),
    },
  } as CeremonyApproval;
  const time = { approving: true, witnessFrom: undefined };
  const judged = await judgeApproval(approval, manifest, evidence.bundle, time, new Date(now + 5_000));
  if (judged.statement === undefined) throw new Error(judged.verdict.message);
  evidence.addStatement(judged.statement);
  evidence.add({ who: 'boss', step: 'approved' }, now + 5_000);
  return evidence;
}

test('consent counts until its key expires, unless the act had begun by then', async () => {
  const { bundle } = await approved();
  expect([...(await consentOf(bundle, new Date(now + day), true))]).toEqual(['boss']);
  expect([...(await consentOf(bundle, new Date(now + 3 * day), true))]).toEqual([]);
  expect([...(await consentOf(bundle, new Date(now + 3 * day), false))]).toEqual(['boss']);
});

test('consent is checked by its signature, whatever the evidence says', async () => {
  const evidence = await approved();
  const [statement] = evidence.bundle.statements;
  if (statement === undefined) throw new Error('nothing was said');
  const forged = { ...evidence.bundle, statements: [{ ...statement, signature: 'x' }] };
  expect((await consentOf(forged, new Date(now + day), true)).size).toBe(0);
  const renamed = { ...evidence.bundle, statements: [{ ...statement, person: 'chief' }] };
  expect((await consentOf(renamed, new Date(now + day), true)).size).toBe(0);
});

test('a witness counts by a signature over the log at its end', async () => {
  const evidence = Evidence.from({ ...manifest, witnesses: { names: ['boss'], required: 1 } }, undefined);
  evidence.add({ who: 'operator', step: 'planned' }, now);
  const early = evidence.head;
  evidence.add({ who: 'engine', step: 'committed' }, now);
  const late = evidence.head;
  const name = ceremonyName(evidence.bundle.manifest);
  const say = async (head: string): Promise<Evidence> => {
    const text = witnessText(name, { person: 'boss', evidence: head, deviations: '' });
    const message = await createMessage({ binary: Buffer.from(text) });
    const signature = String(await sign({ message, signingKeys: privateKey, detached: true }));
    const said = Evidence.from(evidence.bundle.manifest, evidence.bundle);
    said.addStatement({ person: 'boss', role: 'Witness', text, signature, publicKey: '' });
    said.add({ who: 'boss', step: 'witnessed', facts: { evidence: head, deviations: 'none' } }, now + 5_000);
    return said;
  };
  expect([...(await witnessesOf((await say(late)).bundle))]).toEqual(['boss']);
  expect((await witnessesOf((await say(early)).bundle)).size).toBe(0);
  evidence.add({ who: 'boss', step: 'witnessed', facts: { evidence: late, deviations: 'none' } }, now);
  expect((await witnessesOf(evidence.bundle)).size).toBe(0);
});

test('a plan is read in the one form that has its digest', () => {
  const text = manifestText(manifest);
  expect(parseManifest(text)).toEqual(manifest);
  expect(parseManifest(JSON.stringify(JSON.parse(text), null, 2))).toBeUndefined();
  expect(parseManifest(text.replace('{', '{"extra":1,'))).toBeUndefined();
});

test('evidence that was changed is none, and it stays bounded', async () => {
  const evidence = await approved();
  const text = bundleText(evidence.bundle);
  expect(parseBundle(text, manifest)?.entries).toHaveLength(1);
  expect(parseBundle(text.replace('"approved"', '"started"'), manifest)?.entries).toHaveLength(1);
  evidence.add({ who: 'operator', step: 'started' }, now + 6_000);
  const two = bundleText(evidence.bundle);
  expect(parseBundle(two.replace('"approved"', '"refused"'), manifest)).toBeUndefined();
  for (let count = 0; count < 400; count += 1)
    evidence.add({ who: 'operator', step: 'refused', facts: { object: String(count) } }, now + count);
  expect(evidence.bundle.entries.length).toBeLessThan(64);
  evidence.add({ who: 'engine', step: 'committed' }, now);
  expect(evidence.has('committed')).toBe(true);
  const times = evidence.bundle.entries.map(({ time }) => time);
  expect(times).toEqual(times.toSorted((a, b) => a.localeCompare(b)));
});
