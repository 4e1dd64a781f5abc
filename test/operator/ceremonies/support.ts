import { createHash } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brokenLink } from '../../../src/ceremony/evidence.ts';
import { proveShare } from '../../../src/ceremony/share-proof.ts';
import {
  approvalText,
  type CeremonyName,
  keyTestText,
  possessionText,
  receiptText,
  witnessText,
} from '../../../src/ceremony/statement.ts';
import { fromHex } from '../../../src/lib/bytes.ts';
import { Secret } from '../../../src/lib/secret.ts';
import type { Bundle } from '../../../src/operator/recoveryceremony/evidence/bundle.ts';
import { manifestDigest, manifestText } from '../../../src/operator/recoveryceremony/plan/manifest.ts';
import type { KubernetesObject } from '../../support/cluster/api.ts';
import { type Answer, TestEngine } from '../../api/support/engine.ts';
import { makePerson, type Person } from '../../api/support/person.ts';
import { condition, type Found, KindsBench, VAULTS, vaultObject } from '../kinds/support.ts';

export { condition, type Found, VAULTS };

/** A real API server, the operator, and a real engine sealed by SoftHSM where a pod of the vault would be. */
export class CeremonyBench {
  readonly kinds: KindsBench;
  readonly engine: TestEngine;
  readonly people: ReadonlyMap<string, Person>;
  /** What of the engine's configuration is about being reached. */
  readonly edge: object;

  private constructor(
    kinds: KindsBench,
    engine: TestEngine,
    people: ReadonlyMap<string, Person>,
    edge: object,
  ) {
    this.kinds = kinds;
    this.engine = engine;
    this.people = people;
    this.edge = edge;
  }

  /** @param address of the vault's pod */
  static async start(address: string, names: readonly string[]): Promise<CeremonyBench> {
    const people = new Map<string, Person>();
    for (const name of names) people.set(name, await makePerson(name));
    const kinds = await KindsBench.start();
    kinds.startOperator();
    await kinds.kubectl.apply([
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'hsm', namespace: VAULTS },
        stringData: { slot: '5', pin: 'pin' },
      } as never,
    ]);
    await kinds.apply(vaultObject('demo'));
    const { cert, key, clientAuthority } = await kinds.engineFiles('demo');
    const dir = mkdtempSync(join(kinds.dir, 'engine-'));
    const file = (name: string, text: string): string => {
      writeFileSync(join(dir, name), text, { mode: 0o600 });
      return join(dir, name);
    };
    const edge = {
      init_client_name: 'sealedvault-operator',
      listener: [
        { tcp: { address: '127.0.0.1:0', tls_disable: true } },
        {
          tcp: {
            address: `${address}:8200`,
            tls_cert_file: file('cert', cert),
            tls_key_file: file('key', key),
            tls_client_ca_file: file('ca', clientAuthority),
          },
        },
      ],
    };
    const engine = await TestEngine.start(edge);
    await kinds.runPod('demo', address);
    return new CeremonyBench(kinds, engine, people, edge);
  }

  async close(): Promise<void> {
    await this.kinds.close();
    await this.engine.stop();
  }

  person(name: string): Person {
    const found = this.people.get(name);
    if (found === undefined) throw new Error(name);
    return found;
  }

  async restartOperator(): Promise<void> {
    await this.kinds.stopOperator();
    this.kinds.startOperator();
  }

  /** Makes a ceremony; custodians and people are given by name. */
  async make(
    name: string,
    {
      custodians = [],
      people = [],
      ...spec
    }: { custodians?: string[]; people?: string[]; [field: string]: unknown },
  ): Promise<void> {
    const keyed = (names: string[]): object[] =>
      names.map((each) => ({ name: each, publicKey: this.person(each).armored }));
    await this.kinds.apply({
      apiVersion: 'sealedvault.io/v1alpha1',
      kind: 'RecoveryCeremony',
      metadata: { name, namespace: VAULTS },
      spec: {
        vaultRef: { name: 'demo' },
        ...(custodians.length === 0 ? {} : { custodians: keyed(custodians) }),
        ...(people.length === 0 ? {} : { people: keyed(people) }),
        ...spec,
      },
    } as KubernetesObject);
  }

  phase(name: string, phase: string, timeoutMs = 40_000): Promise<Found> {
    return this.kinds.wait(`recoveryceremony/${name}`, (found) => found.status?.phase === phase, timeoutMs);
  }

  /** Waits for more than the phase. */
  ceremony(name: string, wanted: (found: Found) => boolean): Promise<Found> {
    return this.kinds.wait(`recoveryceremony/${name}`, wanted);
  }

  async nameOf(name: string): Promise<CeremonyName> {
    const { metadata, status } = await this.ceremony(
      name,
      (found) => found.status?.['manifestDigest'] !== undefined,
    );
    return { namespace: VAULTS, name, uid: metadata.uid, digest: String(status?.['manifestDigest']) };
  }

  async cancel(name: string): Promise<void> {
    const patch = '{"spec":{"cancel":true}}';
    await this.kinds.kubectl.run([
      '--namespace',
      VAULTS,
      'patch',
      'recoveryceremony',
      name,
      '--type=merge',
      '--patch',
      patch,
    ]);
  }

  /** Applies what somebody signed and waits for the verdict. */
  async say(
    kind: 'CeremonyApproval' | 'ShareReceipt',
    name: string,
    spec: object,
  ): Promise<{ accepted: boolean; message: string }> {
    await this.kinds.apply({
      apiVersion: 'sealedvault.io/v1alpha1',
      kind,
      metadata: { name, namespace: VAULTS },
      spec,
    } as KubernetesObject);
    const what = `${kind.toLowerCase()}/${name}`;
    const { status } = await this.kinds.wait(what, (found) => found.status?.['accepted'] !== undefined);
    return { accepted: status?.['accepted'] === true, message: String(status?.['message']) };
  }

  async approve(
    ceremony: string,
    who: string,
    change: object = {},
  ): Promise<{ accepted: boolean; message: string }> {
    const name = await this.nameOf(ceremony);
    return this.say('CeremonyApproval', `${ceremony}-${who}`, {
      ceremonyRef: { name: ceremony },
      person: who,
      role: 'Approver',
      digest: name.digest,
      signature: await this.person(who).sign(approvalText(name, who)),
      ...change,
    });
  }

  /** Answers the test message of a ceremony as a custodian does. */
  async answer(
    ceremony: string,
    who: string,
    change: object = {},
    suffix = '',
  ): Promise<{ accepted: boolean; message: string }> {
    const name = await this.nameOf(ceremony);
    const answer = await this.testAnswer(ceremony, who);
    return this.say('ShareReceipt', `${ceremony}-key-test-${who}${suffix}`, {
      ceremonyRef: { name: ceremony },
      custodian: who,
      digest: name.digest,
      keyTest: { answer },
      signature: await this.person(who).sign(keyTestText(name, { custodian: who, answer })),
      ...change,
    });
  }

  /** The right answer to the test message of a custodian. */
  async testAnswer(ceremony: string, who: string): Promise<string> {
    return createHash('sha256')
      .update(await this.challenge(ceremony, who))
      .digest('hex');
  }

  /** What the test message of a custodian says. */
  async challenge(ceremony: string, who: string): Promise<string> {
    const { data } = await this.kinds.wait(`configmap/${ceremony}-key-test`, () => true);
    return this.person(who).open(bodyOf(data?.[`${who}.asc`] ?? ''));
  }

  async witness(
    ceremony: string,
    who: string,
    head: string,
    suffix = '',
  ): Promise<{ accepted: boolean; message: string }> {
    const name = await this.nameOf(ceremony);
    const text = witnessText(name, { person: who, evidence: head, deviations: 'the coffee was cold' });
    return this.say('CeremonyApproval', `${ceremony}-witness-${who}${suffix}`, {
      ceremonyRef: { name: ceremony },
      person: who,
      role: 'Witness',
      digest: name.digest,
      evidence: head,
      deviations: 'the coffee was cold',
      signature: await this.person(who).sign(text),
    });
  }

  /** What a custodian says of a share that came, with a proof when it is given. */
  async receipt(
    ceremony: string,
    custodian: string,
    {
      share,
      storage,
      sha256,
      suffix = '',
    }: { share?: string; storage?: string; sha256?: string; suffix?: string },
  ): Promise<{ accepted: boolean; message: string }> {
    const name = await this.nameOf(ceremony);
    const text =
      storage === undefined ? undefined : receiptText(name, { custodian, sha256: sha256 ?? '', storage });
    return this.say('ShareReceipt', `${ceremony}-receipt-${custodian}${suffix}`, {
      ceremonyRef: { name: ceremony },
      custodian,
      digest: name.digest,
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(storage === undefined ? {} : { storage }),
      ...(text === undefined ? {} : { signature: await this.person(custodian).sign(text) }),
      ...(share === undefined ? {} : { proof: prove(share, possessionText(name, custodian)) }),
    });
  }

  /** Decrypts a message of a ceremony as its owner would. */
  async open(secretName: string, key: 'share.asc' | 'root-token.asc', who: string): Promise<string> {
    const secret = await this.kinds.wait(`secret/${secretName}`, () => true);
    return this.person(who).open(bodyOf(Buffer.from(secret.data?.[key] ?? '', 'base64').toString()));
  }

  share(ceremony: string, who: string): Promise<string> {
    return this.open(`${ceremony}-share-${who}`, 'share.asc', who);
  }

  /** Gives a share to the engine, as a person does after comparing nonce and digest. */
  async submit(ceremony: string, share: string, change: object = {}): Promise<Answer> {
    const { metadata, status } = await this.ceremony(
      ceremony,
      (found) => found.status?.['nonce'] !== undefined,
    );
    const { nonce, manifestDigest: digest } = status ?? {};
    return this.engine.call(
      'POST',
      `sys/ceremony/${metadata.uid}/submit`,
      { nonce, digest, key: share, ...change },
      '',
    );
  }

  async evidence(ceremony: string): Promise<Bundle> {
    const map = await this.kinds.wait(`configmap/${ceremony}-evidence`, () => true);
    const bundle = JSON.parse(map.data?.['evidence.json'] ?? '') as Bundle;
    const broken = brokenLink(bundle.entries, manifestDigest(bundle.manifest));
    if (broken !== undefined) throw new Error(broken);
    const plan = await this.kinds.wait(`configmap/${ceremony}-manifest`, () => true);
    if (plan.data?.['manifest.json'] !== manifestText(bundle.manifest)) throw new Error('another plan');
    return bundle;
  }

  /** Writes a ConfigMap of a ceremony as somebody with too many rights would. */
  async tamper(
    name: string,
    change: (data: Record<string, string>) => Record<string, string>,
  ): Promise<void> {
    const map = await this.kinds.wait(`configmap/${name}`, () => true);
    const { ownerReferences, labels } = map.metadata;
    await this.kinds.kubectl.run(['--namespace', VAULTS, 'delete', 'configmap', name]);
    await this.kinds.kubectl.apply([
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: VAULTS, ownerReferences, labels },
        data: change(map.data ?? {}),
      } as never,
    ]);
  }

  async steps(ceremony: string): Promise<string[]> {
    const { entries } = await this.evidence(ceremony);
    return entries.map(({ who, step }) => `${who} ${step}`);
  }
}

/** Base64 of the message in an armor. */
function bodyOf(armored: string): string {
  return armored
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('-') && !line.startsWith('='))
    .join('');
}

/** The last digest of the evidence, as a status tells it. */
export function headOf(found: Found): string {
  const evidence = found.status?.['evidence'] as { head: string } | undefined;
  return evidence?.head ?? '';
}

/** What a status says of the custodians. */
export function custodiansOf(
  found: Found,
): { name: string; sha256?: string; proven?: boolean; receipt?: string; keyTest?: string }[] {
  return (found.status?.['custodians'] ?? []) as { name: string }[];
}

/** @param share hex */
export function prove(share: string, text: string): string {
  using secret = Secret.own(fromHex(share) ?? new Uint8Array());
  return proveShare(secret, text);
}
