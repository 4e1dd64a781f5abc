import { errorCode } from '../../lib/errors.ts';
import type { Audit } from '../audit/audit.ts';
import { type AuditDeviceConfig, isDeviceType } from '../audit/config.ts';
import { getJson, jsonPut, type Storage } from '../logical/storage.ts';

/** A device that is asked for over the API. */
export type NewAuditDevice = Omit<AuditDeviceConfig, 'type'> & { readonly type: string };

const TABLE = 'core/audit';

/** The audit devices that the API enabled, kept behind the barrier, besides those of the configuration file. */
export class AuditTable {
  readonly #storage: Storage;
  readonly #audit: Audit;
  #stored: readonly AuditDeviceConfig[];
  #changes: Promise<unknown> = Promise.resolve();

  private constructor(storage: Storage, audit: Audit, stored: readonly AuditDeviceConfig[]) {
    this.#storage = storage;
    this.#audit = audit;
    this.#stored = stored;
  }

  /** Starts what is stored. A device that cannot be opened now is tried again with each entry. */
  static async open(storage: Storage, audit: Audit): Promise<AuditTable> {
    const stored = (await getJson<AuditDeviceConfig[]>(storage, TABLE)) ?? [];
    const configured = new Set(audit.devices().map(({ path }) => path));
    for (const device of stored) if (!configured.has(device.path)) await audit.add(device);
    return new AuditTable(storage, audit, stored);
  }

  list(): readonly AuditDeviceConfig[] {
    return this.#audit.devices().toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  hash(path: string, input: string): string | undefined {
    return this.#audit.hash(path, input);
  }

  /** Opens a device, then stores it. @returns why it was refused; nothing is stored then */
  enable(device: NewAuditDevice): Promise<string | undefined> {
    return this.#exclusive(async () => {
      const { type } = device;
      if (!isDeviceType(type)) return `unknown backend type: ${JSON.stringify(type)}`;
      const { path } = device;
      if (this.#audit.devices().some((each) => each.path.startsWith(path) || path.startsWith(each.path)))
        return 'path already in use';
      const config: AuditDeviceConfig = { ...device, type };
      try {
        await this.#audit.enable(config);
      } catch (error) {
        if (error instanceof Error && errorCode(error) === 'ERR_CONFIG_INVALID') return error.message;
        return `the audit device cannot be opened: ${systemCode(error)}`;
      }
      try {
        await this.#save([...this.#stored, config]);
      } catch (error) {
        await this.#audit.remove(path);
        throw error;
      }
      return undefined;
    });
  }

  /** Removes a device. @returns why it was refused; an unknown one is fine */
  disable(path: string): Promise<string | undefined> {
    return this.#exclusive(async () => {
      if (this.#stored.some((each) => each.path === path)) {
        await this.#save(this.#stored.filter((each) => each.path !== path));
        await this.#audit.remove(path);
        return undefined;
      }
      return this.#audit.devices().some((each) => each.path === path)
        ? 'the audit device is part of the configuration file: remove it there'
        : undefined;
    });
  }

  async #save(devices: readonly AuditDeviceConfig[]): Promise<void> {
    await this.#storage.write([jsonPut(TABLE, devices)]);
    this.#stored = devices;
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#changes.then(work);
    this.#changes = turn.catch(() => undefined);
    return turn;
  }
}

// A system's message may hold a path of the host; its code says enough.
function systemCode(error: unknown): string {
  const code: unknown = Reflect.get(Object(error), 'code');
  return typeof code === 'string' ? code : 'it does not answer';
}
