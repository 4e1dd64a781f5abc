import { createHmac } from 'node:crypto';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import type { Random } from '../../../lib/random.ts';
import { getJson, jsonPut, type Storage, type StorageOperation } from '../../logical/storage.ts';
import type { Role } from './role.ts';

/** An authority that signs certificates. */
export interface Issuer {
  readonly id: string;
  readonly name: string;
  /** A line of authorized_keys. */
  readonly publicKey: string;
  /** PEM, or OpenSSH's form of it. */
  readonly privateKey: string;
}

/** What a one-time password is good for. */
export interface Otp {
  readonly username: string;
  readonly ip: string;
  readonly roleName: string;
}

/** The records of a mount. */
export class SshStore {
  readonly #storage: Storage;
  readonly #random: Random;
  readonly #mutex = new KeyedMutex();

  constructor(storage: Storage, random: Random) {
    this.#storage = storage;
    this.#random = random;
  }

  /** Runs a change of issuers or roles that no other may be beside. */
  exclusive<T>(what: 'issuers' | 'roles', work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(what, work);
  }

  role(name: string): Promise<Role | undefined> {
    return getJson<Role>(this.#storage, `role/${name}`);
  }

  roleNames(): Promise<string[]> {
    return this.#storage.list('role/');
  }

  putRole(name: string, role: Role): Promise<void> {
    return this.#storage.write([jsonPut(`role/${name}`, role)]);
  }

  /** Also takes its name off the list of roles for any address. */
  async deleteRole(name: string): Promise<void> {
    const operations: StorageOperation[] = [{ type: 'delete', key: `role/${name}` }];
    const listed = await this.zeroAddressRoles();
    if (listed?.includes(name) === true)
      operations.push(
        jsonPut('zeroaddress', {
          roles: listed.filter((each) => each !== name),
        }),
      );
    await this.#storage.write(operations);
  }

  /** Roles that accept any address; undefined when that was never set. */
  async zeroAddressRoles(): Promise<readonly string[] | undefined> {
    return (await getJson<{ roles: string[] }>(this.#storage, 'zeroaddress'))?.roles;
  }

  putZeroAddressRoles(roles: readonly string[]): Promise<void> {
    return this.#storage.write([jsonPut('zeroaddress', { roles: [...roles] })]);
  }

  deleteZeroAddressRoles(): Promise<void> {
    return this.#storage.delete('zeroaddress');
  }

  issuerIds(): Promise<string[]> {
    return this.#storage.list('issuer/');
  }

  issuerById(id: string): Promise<Issuer | undefined> {
    return getJson<Issuer>(this.#storage, `issuer/${id}`);
  }

  /** Empty for none. */
  async defaultIssuerId(): Promise<string> {
    return (await getJson<{ default: string }>(this.#storage, 'issuers'))?.default ?? '';
  }

  setDefaultIssuer(id: string): Promise<void> {
    return this.#storage.write([jsonPut('issuers', { default: id })]);
  }

  /** @param reference `default`, an id or a name. @returns the issuer, or why there is none */
  async issuer(reference: string): Promise<Issuer | { readonly refused: string }> {
    const ref = reference.trim();
    if (ref.toLowerCase() === 'default') {
      const found = await this.issuerById(await this.defaultIssuerId());
      return found ?? { refused: 'no default issuer currently configured' };
    }
    const byId = ref === '' || ref.includes('/') ? undefined : await this.issuerById(ref);
    if (byId !== undefined) return byId;
    for (const id of await this.issuerIds()) {
      const issuer = await this.issuerById(id);
      if (issuer !== undefined && ref !== '' && issuer.name === ref) return issuer;
    }
    return { refused: `unable to find issuer for reference: ${ref}` };
  }

  putIssuer(issuer: Issuer, asDefault: boolean): Promise<void> {
    return this.#storage.write([
      jsonPut(`issuer/${issuer.id}`, issuer),
      ...(asDefault ? [jsonPut('issuers', { default: issuer.id })] : []),
    ]);
  }

  /** @returns whether it was the default */
  async deleteIssuer(id: string): Promise<boolean> {
    const wasDefault = (await this.defaultIssuerId()) === id;
    await this.#storage.write([
      { type: 'delete', key: `issuer/${id}` },
      ...(wasDefault ? [jsonPut('issuers', { default: '' })] : []),
    ]);
    return wasDefault;
  }

  /** @returns how many there were */
  async deleteIssuers(): Promise<void> {
    const ids = await this.issuerIds();
    await this.#storage.write([
      ...ids.map((id) => ({ type: 'delete', key: `issuer/${id}` }) as const),
      { type: 'delete', key: 'issuers' },
    ]);
  }

  /** Makes a one-time password; at rest it is named by its HMAC only. */
  async addOtp(otp: Otp): Promise<string> {
    const password = this.#random.uuid();
    await this.#storage.write([jsonPut(await this.#otpKey(password), otp)]);
    return password;
  }

  /** What a password is good for, once: whoever is first gets it. */
  takeOtp(password: string): Promise<Otp | undefined> {
    return this.#mutex.run('otp', async () => {
      const key = await this.#otpKey(password);
      const found = await getJson<Otp>(this.#storage, key);
      if (found !== undefined) await this.#storage.delete(key);
      return found;
    });
  }

  async #otpKey(password: string): Promise<string> {
    const salt = await this.#mutex.run('salt', async () => {
      const stored = await this.#storage.get('salt');
      if (stored !== undefined) return stored;
      const made = this.#random.bytes(32);
      await this.#storage.put('salt', made);
      return made;
    });
    return `otp/${createHmac('sha256', salt).update(password).digest('hex')}`;
  }
}
