import { createHash } from 'node:crypto';
import { text, fromBase64, toBase64, utf8 } from '../../lib/bytes.ts';
import type { ControllerOptions } from '../options.ts';
import { KubeApiError } from '../runtime/errors.ts';
import type { KubeObject, ReconcileContext } from '../runtime/runtime.ts';
import { ensureTls, expiryOf, type TlsRequest, type VaultTls } from '../../lib/tls.ts';
import type { SealedVault } from './kind.ts';
import { INIT_CLIENT, labelsOf, namesOf, ownedMeta, type VaultNames } from './names.ts';
import { SECRET } from './types.ts';

/** What is known of a vault's certificates after a look at them. */
export type TlsState =
  | {
      readonly ok: true;
      /** PEM of the authorities that clients of the vault trust. */
      readonly serverAuthority: string;
      readonly clientAuthority: string;
      readonly client: { readonly certificate: string; readonly key: string };
      readonly certificateExpires: Date | undefined;
      readonly authorityExpires: Date | undefined;
    }
  | {
      readonly ok: false;
      readonly reason: 'SecretNotFound' | 'SecretsNotReadable' | 'SecretInvalid' | 'NameTaken';
      readonly subject: string;
      /** The operator's own authority, when that much is there. */
      readonly clientAuthority: string | undefined;
    };

export interface SecretObject extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

interface Memo {
  readonly tls: VaultTls;
  readonly lookAgain: number;
  /** Resource version of the serving Secret whose content was looked at. */
  servingVersion?: string | undefined;
  serving?: { readonly authority: string; readonly expires: Date | undefined } | undefined;
}

const LOOK_AGAIN_MS = 600_000;

/**
 * Keeps a vault's authority, in the operator's namespace, and the Secret that its pods serve with.
 * Content is read when the resource version says that it changed, and otherwise every ten minutes.
 */
export class Certificates {
  readonly #options: ControllerOptions;
  readonly #memos = new Map<string, Memo>();

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /** Makes and renews what is due. @throws KubeApiError for failures other than a missing permission */
  async ensure(vault: SealedVault, context: ReconcileContext): Promise<TlsState> {
    const names = namesOf({ namespace: vault.metadata.namespace ?? '', name: vault.metadata.name });
    const memo = await this.#authority(vault, names, context);
    try {
      const failed = await this.#serving(vault, names, memo, context);
      if (failed !== undefined) return { ...failed, ok: false, clientAuthority: memo.tls['ca.crt'] };
    } catch (error) {
      if (!(error instanceof KubeApiError) || error.status !== 403) throw error;
      return {
        ok: false,
        reason: 'SecretsNotReadable',
        subject: vault.spec.tls?.secretName ?? names.tls,
        clientAuthority: memo.tls['ca.crt'],
      };
    }
    return {
      ok: true,
      serverAuthority: memo.serving?.authority ?? memo.tls['ca.crt'],
      clientAuthority: memo.tls['ca.crt'],
      client: { certificate: memo.tls['client.crt'], key: memo.tls['client.key'] },
      certificateExpires: memo.serving?.expires ?? expiryOf(memo.tls['tls.crt']),
      authorityExpires: expiryOf(memo.tls['ca.crt']),
    };
  }

  forget(uid: string): void {
    this.#memos.delete(uid);
  }

  async #authority(vault: SealedVault, names: VaultNames, context: ReconcileContext): Promise<Memo> {
    const uid = vault.metadata.uid ?? '';
    const now = context.clock.now();
    const memo = this.#memos.get(uid);
    if (memo !== undefined && now < memo.lookAgain) return memo;
    const key = { namespace: this.#options.operatorNamespace, name: names.authority };
    const stored = await context.api.get<SecretObject>(SECRET, key, context.signal);
    const { tls, changed } = await ensureTls(decode(stored), tlsRequest(names), context);
    if (changed) {
      const secret: SecretObject = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...key, labels: labelsOf(names.key) },
        type: 'Opaque',
        data: encode({ ...tls }),
      };
      // Of two that make the first one at once, one loses and reads the other's.
      if (stored !== undefined) await context.api.apply(SECRET, secret, context.signal);
      else if ((await context.api.create(SECRET, secret, context.signal)) === undefined)
        return this.#authority(vault, names, context);
    }
    // Neighbours that were made together shall not all look at once.
    const lookAgain = now + LOOK_AGAIN_MS * (0.75 + context.random.fraction() / 2);
    const next: Memo = {
      tls,
      lookAgain,
      ...(changed ? {} : { servingVersion: memo?.servingVersion, serving: memo?.serving }),
    };
    this.#memos.set(uid, next);
    return next;
  }

  async #serving(
    vault: SealedVault,
    names: VaultNames,
    memo: Memo,
    context: ReconcileContext,
  ): Promise<{ reason: 'SecretNotFound' | 'SecretInvalid' | 'NameTaken'; subject: string } | undefined> {
    const theirs = vault.spec.tls?.secretName;
    const name = theirs ?? names.tls;
    const key = { namespace: names.key.namespace, name };
    const known = context.cache.get(SECRET, key)?.metadata.resourceVersion;
    if (known !== undefined && known === memo.servingVersion) return undefined;
    const live = await context.api.get<SecretObject>(SECRET, key, context.signal);
    if (theirs !== undefined) {
      if (live === undefined) return { reason: 'SecretNotFound', subject: name };
      const content = decode(live);
      const authority = content['ca.crt'];
      const expires = expiryOf(content['tls.crt']);
      if (authority === undefined || content['tls.key'] === undefined || expires === undefined)
        return { reason: 'SecretInvalid', subject: name };
      memo.serving = { authority, expires };
      memo.servingVersion = live.metadata.resourceVersion;
      return undefined;
    }
    const wanted = encode({
      'tls.crt': memo.tls['tls.crt'],
      'tls.key': memo.tls['tls.key'],
      'ca.crt': memo.tls['ca.crt'],
    });
    memo.serving = undefined;
    const owner = live?.metadata.ownerReferences?.find(({ controller }) => controller === true);
    if (live !== undefined && owner?.uid !== vault.metadata.uid)
      return { reason: 'NameTaken', subject: name };
    if (
      live !== undefined &&
      Object.entries(wanted).every(([field, value]) => live.data?.[field] === value)
    ) {
      memo.servingVersion = live.metadata.resourceVersion;
      return undefined;
    }
    const secret: SecretObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: ownedMeta(vault, name),
      type: 'kubernetes.io/tls',
      data: wanted,
    };
    await context.api.apply(SECRET, secret, context.signal);
    return undefined;
  }
}

/** The names that a vault's certificate answers to. */
export function tlsRequest(names: VaultNames): TlsRequest {
  const { namespace, name } = names.key;
  const services = [names.active, names.ceremony, names.headless].flatMap((service) => [
    `${service}.${namespace}.svc`,
    `${service}.${namespace}.svc.cluster.local`,
    `${service}.${namespace}`,
  ]);
  return {
    commonName: `sealedvault ${createHash('sha256').update(`${namespace}/${name}`).digest('hex').slice(0, 24)}`,
    serverName: name,
    clientName: INIT_CLIENT,
    dnsNames: [
      `${name}-0.${names.headless}.${namespace}.svc`,
      `*.${names.headless}.${namespace}.svc`,
      `*.${names.headless}.${namespace}.svc.cluster.local`,
      ...services,
      names.active,
      'localhost',
    ],
    addresses: ['127.0.0.1'],
  };
}

/** A Secret's content as text. */
export function decode(secret: SecretObject | undefined): Readonly<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(secret?.data ?? {})) {
    const bytes = fromBase64(value);
    if (bytes !== undefined) result[name] = text(bytes);
  }
  return result;
}

function encode(content: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(content).map(([name, value]) => [name, toBase64(utf8(value))]));
}
