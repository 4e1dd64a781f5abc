import type { Storage, StorageOperation } from './storage.ts';

/**
 * An index of expiry times in storage, sorted by time: nothing has to be loaded at start, and the sweeper reads
 * only what is due. Names are `expiry/<12-digit seconds>/<id>`.
 */
export interface ExpiryIndex {
  /** The operations that move an id from one time to another; 0 is no time. */
  set(id: string, from: number, to: number): StorageOperation[];
  /** Up to 500 entries whose time has come, the soonest first. */
  due(now: number): Promise<Due[]>;
  /** @returns whether an id is at a time */
  has(id: string, time: number): Promise<boolean>;
}

export interface Due {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly time: number;
}

export function createExpiryIndex(storage: Storage): ExpiryIndex {
  return {
    set: (id, from, to) => [
      ...(from === 0 || from === to ? [] : [{ type: 'delete', key: name(from, id) } as const]),
      ...(to === 0 ? [] : [{ type: 'put', key: name(to, id), value: new Uint8Array() } as const]),
    ],
    due: async (now) => {
      const found: Due[] = [];
      for (const bucket of await storage.list('expiry/', { limit: 100 })) {
        const time = Number(bucket.slice(0, -1));
        if (time > now || found.length >= 500) break;
        const ids = await storage.list(`expiry/${bucket}`, { limit: 500 - found.length });
        for (const id of ids) found.push({ id, time });
      }
      return found;
    },
    has: async (id, time) => (await storage.get(name(time, id))) !== undefined,
  };
}

function name(time: number, id: string): string {
  return `expiry/${String(time).padStart(12, '0')}/${id}`;
}
