import * as openpgp from 'openpgp';
import type { VaultApi } from '../../../../src/client/factory.ts';
import type { InitRequest } from '../../../../src/client/messages.ts';
import { answerTo } from '../../../../src/ceremony/key-test.ts';
import { type CeremonyName, keyTestText } from '../../../../src/ceremony/statement.ts';
import { encryptToCustodian } from '../../../../src/ceremony/pgp.ts';
import { toBase64 } from '../../../../src/lib/bytes.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import type { Logger } from '../../../../src/lib/log.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { Secret } from '../../../../src/lib/secret.ts';
import { RECOVERY_CEREMONY } from '../../../../src/operator/recoveryceremony/kind.ts';
import type { ShareReceipt } from '../../../../src/operator/recoveryceremony/receipts/kind.ts';
import { SEALED_VAULT } from '../../../../src/operator/sealedvault/kind.ts';
import { CONFIG_MAP, POD, SECRET } from '../../../../src/operator/sealedvault/types.ts';
import type { ControllerOptions } from '../../../../src/operator/options.ts';
import type {
  KubeApi,
  KubeObject,
  ObjectKey,
  ReconcileContext,
  ResourceType,
} from '../../../../src/operator/runtime/runtime.ts';

/** The death of the process, at a moment of the test's choice. */
export class Killed extends Error {}

const silent: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
};
const idOf = (type: ResourceType, { namespace, name }: ObjectKey): string =>
  `${type.plural}/${namespace}/${name}`;

/** Objects and an engine in memory: every effect is counted, and the process can die before or after any of them. */
export class World {
  readonly objects: Map<string, KubeObject> = new Map();
  readonly events: string[] = [];
  readonly engine: MemoryEngine = new MemoryEngine();
  /** Effects so far. */
  effects = 0;
  /** The process dies at this effect: before it happens, or after. */
  killAt: { readonly effect: number; readonly when: 'before' | 'after' } | undefined;
  /** Fails a call of a kind that many times. */
  failures: Map<string, number> = new Map();
  #version = 0;

  async effect<T>(what: string, act: () => T | Promise<T>): Promise<T> {
    this.effects += 1;
    const dies = this.killAt?.effect === this.effects ? this.killAt.when : undefined;
    if (dies === 'before') throw new Killed();
    const left = this.failures.get(what) ?? 0;
    if (left > 0) {
      this.failures.set(what, left - 1);
      throw new Error(`${what} failed`);
    }
    const result = await act();
    if (dies === 'after') throw new Killed();
    return result;
  }

  put(type: ResourceType, object: KubeObject): KubeObject {
    this.#version += 1;
    const { metadata } = object;
    const stored = {
      ...structuredClone(object),
      metadata: { uid: `uid-${this.#version}`, ...metadata, resourceVersion: String(this.#version) },
    };
    this.objects.set(idOf(type, { namespace: metadata.namespace ?? '', name: metadata.name }), stored);
    return stored;
  }

  read<T extends KubeObject>(type: ResourceType, key: ObjectKey): T | undefined {
    return this.objects.get(idOf(type, key)) as T | undefined;
  }

  context(): ReconcileContext {
    const list = (type: ResourceType, namespace?: string): KubeObject[] =>
      [...this.objects]
        .filter(([id]) => id.startsWith(`${type.plural}/${namespace ?? ''}`))
        .map(([, object]) => object);
    return {
      api: this.#api(),
      cache: {
        get: <T extends KubeObject>(type: ResourceType, key: ObjectKey) => this.read<T>(type, key),
        ownedBy: () => [],
        list: <T extends KubeObject>(type: ResourceType, namespace?: string) => list(type, namespace) as T[],
        isSynced: () => true,
      },
      events: { record: (_object, type, reason) => void this.events.push(`${type} ${reason}`) },
      clock: systemClock,
      random: systemRandom,
      log: silent,
      signal: new AbortController().signal,
    };
  }

  options(): ControllerOptions {
    return {
      operatorNamespace: 'operator',
      image: 'image',
      vaultClient: () => this.engine.client(this),
      clock: systemClock,
      random: systemRandom,
      log: silent,
    };
  }

  #api(): KubeApi {
    const merge = (type: ResourceType, key: ObjectKey, change: (object: KubeObject) => KubeObject): void => {
      const live = this.read(type, key);
      if (live === undefined) throw new Error('not found');
      this.put(type, change(live));
    };
    return {
      get: async (type, key) => this.read(type, key),
      list: async () => [],
      apply: async (type, object) =>
        this.effect(`apply ${type.plural}`, () => {
          this.put(type, object);
          return 'configured' as const;
        }),
      applyStatus: async (type, object) => {
        const key = { namespace: object.metadata.namespace ?? '', name: object.metadata.name };
        const live = this.read<KubeObject & { status?: object }>(type, key);
        if (JSON.stringify(live?.status) === JSON.stringify(object.status)) return 'unchanged';
        return this.effect('status', () => {
          merge(type, key, (old) => ({ ...old, status: object.status }) as KubeObject);
          return 'configured' as const;
        });
      },
      create: async (type, object) =>
        this.effect(`create ${type.plural}`, () => {
          const key = { namespace: object.metadata.namespace ?? '', name: object.metadata.name };
          return this.read(type, key) === undefined ? (this.put(type, object) as typeof object) : undefined;
        }),
      patchMetadata: async (type, key, patch) =>
        this.effect('patch', () =>
          merge(type, key, (old) => ({ ...old, metadata: { ...old.metadata, ...patch } })),
        ),
      delete: async (type, key) => this.effect('delete', () => void this.objects.delete(idOf(type, key))),
    };
  }
}

/** The engine's contract of sys/init: one set of shares, and the same encrypted answer for the same question. */
export class MemoryEngine {
  sets = 0;
  #kept:
    | { readonly question: string; readonly recoveryKeys: string[]; readonly rootToken: string }
    | undefined;
  sealed = false;

  get answer(): { readonly recoveryKeys: readonly string[]; readonly rootToken: string } | undefined {
    return this.#kept;
  }

  client(world: World): VaultApi {
    const answered = <T>(
      status: number,
      body: T,
    ): { status: number; body: T; certificateExpires: undefined } => ({
      status,
      body,
      certificateExpires: undefined,
    });
    const unused = async (): Promise<never> => {
      throw new Error('not asked in a ceremony');
    };
    return {
      health: unused,
      sealStatus: unused,
      sealBackends: unused,
      leader: unused,
      request: async (_method: string, path: string) =>
        path.endsWith('/attest')
          ? answered(200, { public_key: 'key', signature: 'signature', engine_time: '2026-01-01T00:00:00Z' })
          : answered(404, { errors: ['there are no recovery shares whose holders are known'] }),
      initialized: async () => this.#kept !== undefined,
      init: async (request: InitRequest) => {
        const question = JSON.stringify(request);
        if (this.#kept !== undefined && this.sealed)
          return answered(503, { ok: false as const, errors: ['Vault is sealed'] });
        if (this.#kept === undefined)
          await world.effect('init', async () => {
            this.#kept = { question, ...(await this.#make(request)) };
          });
        const kept = this.#kept;
        if (kept === undefined || kept.question !== question)
          return answered(400, { ok: false as const, errors: ['Vault is already initialized'] });
        return answered(200, {
          ok: true as const,
          recoveryKeys: kept.recoveryKeys,
          rootToken: kept.rootToken,
        });
      },
    } as VaultApi;
  }

  async #make(request: InitRequest): Promise<{ recoveryKeys: string[]; rootToken: string }> {
    this.sets += 1;
    const encrypt = async (text: string, key: string): Promise<string> => {
      using secret = Secret.fromText(text);
      return toBase64(await encryptToCustodian(secret, key));
    };
    const recoveryKeys = await Promise.all(
      request.recovery_pgp_keys.map((key, index) => encrypt(`share ${index} of set ${this.sets}`, key)),
    );
    const { root_token_pgp_key: holder } = request;
    return { recoveryKeys, rootToken: holder === undefined ? '' : await encrypt('hvs.root', holder) };
  }
}

/** A vault with a pod that can be asked, and a ceremony of it. */
export function ceremonyWorld(name: string, spec: object): World {
  const world = new World();
  const namespace = 'vaults';
  const put = (type: ResourceType, object: object): void =>
    void world.put(type, { apiVersion: 'v1', kind: type.kind, ...object } as KubeObject);
  put(SEALED_VAULT, { metadata: { name: 'demo', namespace }, spec: { hsm: { keyLabel: 'root' } } });
  put(POD, {
    metadata: {
      name: 'demo-0',
      namespace,
      labels: { 'app.kubernetes.io/name': 'sealedvault', 'sealedvault.io/vault': 'demo' },
    },
    status: { podIP: '10.0.0.1' },
  });
  const pem = Buffer.from('pem').toString('base64');
  put(SECRET, {
    metadata: { name: 'vaults.demo-ca', namespace: 'operator' },
    data: { 'ca.crt': pem, 'client.crt': pem, 'client.key': pem },
  });
  put(RECOVERY_CEREMONY, {
    apiVersion: RECOVERY_CEREMONY.apiVersion,
    metadata: { name, namespace, uid: 'ceremony-uid', generation: 1 },
    spec: { vaultRef: { name: 'demo' }, people: [], expiresAfter: '72h', cancel: false, ...spec },
  });
  return world;
}

/** A custodian's key pair. */
export async function custodianKey(
  name: string,
  expiresIn = 0,
): Promise<{ readonly publicKey: string; readonly privateKey: openpgp.PrivateKey }> {
  const { publicKey, privateKey } = await openpgp.generateKey({
    type: 'ecc',
    curve: 'curve25519Legacy',
    userIDs: [{ name, email: `${name}@example.org` }],
    format: 'object',
    ...(expiresIn === 0 ? {} : { keyExpirationTime: expiresIn }),
  });
  return { publicKey: publicKey.armor(), privateKey };
}

/** The key of somebody who only signs, armored. */
export async function signingKey(name: string): Promise<string> {
  const { publicKey } = await openpgp.generateKey({
    type: 'ecc',
    curve: 'curve25519Legacy',
    userIDs: [{ name }],
    subkeys: [{ sign: true }],
  });
  return publicKey;
}

/** A detached signature, as gpg makes it. */
export async function signText(text: string, privateKey: openpgp.PrivateKey): Promise<string> {
  const message = await openpgp.createMessage({ binary: Buffer.from(text) });
  return String(await openpgp.sign({ message, signingKeys: privateKey, detached: true }));
}

/** Answers the test message of a ceremony as a custodian would, once it is there. */
export async function answerKeyTest(
  world: World,
  ceremony: CeremonyName,
  custodian: string,
  privateKey: openpgp.PrivateKey,
): Promise<ShareReceipt['spec'] | undefined> {
  const where = { namespace: ceremony.namespace, name: `${ceremony.name}-key-test` };
  const map = world.read<KubeObject & { data: Record<string, string> }>(CONFIG_MAP, where);
  const message = map?.data[`${custodian}.asc`];
  if (message === undefined) return undefined;
  using challenge = Secret.fromText(await decrypt(message, privateKey));
  const answer = answerTo(challenge) ?? '';
  return {
    ceremonyRef: { name: ceremony.name },
    custodian,
    digest: ceremony.digest,
    keyTest: { answer },
    signature: await signText(keyTestText(ceremony, { custodian, answer }), privateKey),
  };
}

/** Reads an armored message as its custodian would. */
export async function decrypt(armored: string, privateKey: openpgp.PrivateKey): Promise<string> {
  const message = await openpgp.readMessage({ armoredMessage: armored });
  const { data } = await openpgp.decrypt({ message, decryptionKeys: privateKey });
  return String(data);
}
