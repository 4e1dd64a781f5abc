import type { Backend } from '../logical/logical.ts';
import type { LeaseTtl } from '../logical/request.ts';

/**
 * The mount tables (secrets engines, auth methods) and the router over them.
 *
 * I1  No mount is inside another; the longest prefix wins and is the only one.
 * I2  A mount's data lives under a UUID of its own, so that a path that is mounted again never shows old data.
 */
export interface MountEntry {
  readonly table: 'mounts' | 'auth';
  /** Ends in a slash: `secret/`; for auth methods without the leading `auth/`. */
  readonly path: string;
  readonly type: string;
  readonly description: string;
  readonly uuid: string;
  readonly accessor: string;
  readonly local: boolean;
  readonly sealWrap: boolean;
  readonly externalEntropyAccess: boolean;
  readonly options: Readonly<Record<string, string>> | null;
  readonly config: MountConfig;
  /** Where its data is, when an upgrade has moved it; otherwise its UUID. */
  readonly folder?: string;
  /** Where the data is that an upgrade has yet to move, and how it is stored there. */
  readonly upgradingFrom?: { readonly folder: string; readonly format: string };
}

/** What is asked for; the rest of an entry is made. */
export type MountRequest = Omit<
  MountEntry,
  'uuid' | 'accessor' | 'externalEntropyAccess' | 'folder' | 'upgradingFrom'
> &
  Partial<Pick<MountEntry, 'externalEntropyAccess'>>;

/** Tuning; TTLs in seconds, 0 is the system's. */
export interface MountConfig {
  readonly defaultLeaseTtl: number;
  readonly maxLeaseTtl: number;
  readonly forceNoCache: boolean;
  readonly listingVisibility?: string;
  readonly tokenType?: string;
  readonly passthroughRequestHeaders?: readonly string[];
  readonly allowedResponseHeaders?: readonly string[];
  /** Names of the managed keys that the mount may use. */
  readonly allowedManagedKeys?: readonly string[];
  readonly auditNonHmacRequestKeys?: readonly string[];
  readonly auditNonHmacResponseKeys?: readonly string[];
  readonly userLockout?: LockoutSettings;
}

/** When failed logins lock a name, and for how long; times in seconds. */
export interface LockoutRule {
  readonly threshold: number;
  readonly duration: number;
  /** After this time without a failure, counting begins anew. */
  readonly counterReset: number;
  readonly disabled: boolean;
}

/** What was set of a rule; the rest is the next wider one's. */
export type LockoutSettings = Partial<LockoutRule>;

/** Auth methods whose users can be locked out. */
export const LOCKABLE_TYPES: readonly string[] = ['approle', 'ldap', 'userpass'];

/** A mount with its running backend. */
export interface Mounted {
  readonly entry: MountEntry;
  readonly backend: Backend;
  /** The full prefix in the API: `secret/`, `auth/token/`. */
  readonly prefix: string;
  readonly leaseTtl: LeaseTtl;
  /** It is going: nobody is served any more. */
  readonly tainted?: true;
  /** Refuses requests from now on; resolves when those that had begun are done. */
  readonly retire?: () => Promise<void>;
}

/** The name of the folder that holds a mount's data. */
export function folderOf({ folder, uuid }: MountEntry): string {
  return folder ?? uuid;
}

/** Longest-prefix lookup over whole segments. */
export class Router {
  readonly #mounts = new Map<string, Mounted>();
  #depth = 1;

  set(mounted: Mounted): void {
    this.#mounts.set(mounted.prefix, mounted);
    this.#depth = Math.max(this.#depth, mounted.prefix.split('/').length);
  }

  delete(prefix: string): void {
    this.#mounts.delete(prefix);
  }

  all(): Mounted[] {
    return [...this.#mounts.values()].toSorted((a, b) => (a.prefix < b.prefix ? -1 : 1));
  }

  get(prefix: string): Mounted | undefined {
    return this.#mounts.get(prefix);
  }

  /** @returns the mount that serves a path; `secret` finds `secret/`. */
  find(path: string): Mounted | undefined {
    let offset = -1;
    for (let depth = 0; depth < this.#depth; depth += 1) {
      offset = path.indexOf('/', offset + 1);
      if (offset === -1) return this.#mounts.get(`${path}/`);
      const mounted = this.#mounts.get(path.slice(0, offset + 1));
      if (mounted !== undefined) return mounted;
    }
    return undefined;
  }

  /** @returns a mount that a new one at this prefix would collide with. */
  conflict(prefix: string): Mounted | undefined {
    return this.all().find(
      (mounted) => mounted.prefix.startsWith(prefix) || prefix.startsWith(mounted.prefix),
    );
  }
}
