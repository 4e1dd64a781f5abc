import { createHash } from 'node:crypto';
import type { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { clear, getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import type { TokenParameters } from '../token-fields.ts';

/** A role; times in seconds. */
export interface AppRole {
  readonly name: string;
  readonly roleId: string;
  readonly bindSecretId: boolean;
  readonly secretIdBoundCidrs: readonly string[];
  readonly secretIdNumUses: number;
  readonly secretIdTtl: number;
  readonly localSecretIds: boolean;
  readonly token: TokenParameters;
}

/** A secret ID as it is stored: by its hash, never by its text. */
export interface SecretId {
  readonly hash: string;
  readonly accessor: string;
  /** Uses left; 0 is without limit. */
  readonly numUses: number;
  /** Seconds; 0 is for ever. */
  readonly ttl: number;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly updated: number;
  readonly expires: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly cidrs: readonly string[];
  readonly tokenCidrs: readonly string[];
}

/** Roles and their secret IDs; every change is one atomic write with its indexes. */
export class AppRoleStore {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  role(name: string): Promise<AppRole | undefined> {
    return getJson<AppRole>(this.#storage, `role/${name.toLowerCase()}`);
  }

  names(): Promise<string[]> {
    return this.#storage.list('role/');
  }

  async byRoleId(roleId: string): Promise<AppRole | undefined> {
    const index = await getJson<{ name: string }>(this.#storage, `role-id/${digest(roleId)}`);
    return index === undefined ? undefined : this.role(index.name);
  }

  /** @param before the role as it was, whose id may be another */
  async putRole(role: AppRole, before: AppRole | undefined): Promise<void> {
    await this.#storage.write([
      ...(before === undefined || before.roleId === role.roleId
        ? []
        : [{ type: 'delete', key: `role-id/${digest(before.roleId)}` } as const]),
      jsonPut(`role/${role.name}`, role),
      jsonPut(`role-id/${digest(role.roleId)}`, { name: role.name }),
    ]);
  }

  async deleteRole(role: AppRole): Promise<void> {
    await clear(this.#storage, `secret/${role.name}/`);
    await clear(this.#storage, `accessor/${role.name}/`);
    await this.#storage.write([
      { type: 'delete', key: `role/${role.name}` },
      { type: 'delete', key: `role-id/${digest(role.roleId)}` },
    ]);
  }

  secretId(role: AppRole, text: string): Promise<SecretId | undefined> {
    return getJson<SecretId>(this.#storage, `secret/${role.name}/${digest(text)}`);
  }

  async secretIdByAccessor(role: AppRole, accessor: string): Promise<SecretId | undefined> {
    const index = await getJson<{ hash: string }>(this.#storage, `accessor/${role.name}/${accessor}`);
    return index === undefined
      ? undefined
      : getJson<SecretId>(this.#storage, `secret/${role.name}/${index.hash}`);
  }

  accessors(
    role: AppRole,
    page: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<string[]> {
    return this.#storage.list(`accessor/${role.name}/`, page);
  }

  async putSecretId(role: AppRole, secret: SecretId): Promise<void> {
    await this.#storage.write([
      jsonPut(`secret/${role.name}/${secret.hash}`, secret),
      jsonPut(`accessor/${role.name}/${secret.accessor}`, { hash: secret.hash }),
    ]);
  }

  async deleteSecretId(role: AppRole, secret: SecretId): Promise<void> {
    await this.#storage.write([
      { type: 'delete', key: `secret/${role.name}/${secret.hash}` },
      { type: 'delete', key: `accessor/${role.name}/${secret.accessor}` },
    ]);
  }

  /** Removes what has expired. @param locks by role, for each change of its secret IDs */
  async tidy(now: number, locks: KeyedMutex): Promise<void> {
    for (const name of await this.names()) {
      const role = await this.role(name);
      if (role === undefined) continue;
      for (const accessor of await this.accessors(role)) {
        await locks.run(role.name, async () => {
          const secret = await this.secretIdByAccessor(role, accessor);
          if (secret !== undefined && secret.expires !== 0 && secret.expires <= now)
            await this.deleteSecretId(role, secret);
        });
      }
    }
  }
}

/** The name of a role ID or secret ID at rest; both are random, so that a plain hash tells nothing. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
