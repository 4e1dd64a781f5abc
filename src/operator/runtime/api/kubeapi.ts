import type { Clock } from '../../../lib/clock.ts';
import type { KubeApi } from '../runtime.ts';
import { Applier, type LiveObjects } from './apply.ts';
import { Calls } from './calls.ts';
import type { Connection } from './connection.ts';
import { StatusApplier } from './status.ts';

/** What the calls of controllers need. */
export interface KubeApiOptions {
  readonly connection: Connection;
  readonly live: LiveObjects;
  readonly clock: Clock;
  /** Throws when this process must not write any more. */
  readonly mayWrite: () => void;
}

/** @returns the API as controllers see it. */
export function createKubeApi(options: KubeApiOptions): KubeApi {
  const calls = new Calls(options.connection, options.mayWrite);
  const applier = new Applier(calls, options.live, options.clock);
  const statuses = new StatusApplier(calls, options.live, options.clock);
  return {
    get: async <T>(...args: Parameters<Calls['get']>) => (await calls.get(...args)) as T | undefined,
    list: async <T>(...args: Parameters<Calls['list']>) => (await calls.list(...args)) as readonly T[],
    create: async <T>(...args: Parameters<Calls['create']>) => (await calls.create(...args)) as T | undefined,
    apply: (type, object, signal) => applier.apply(type, object, signal),
    applyStatus: (type, object, signal) => statuses.apply(type, object, signal),
    patchMetadata: (type, key, metadata, signal) => calls.patchMetadata(type, key, metadata, signal),
    delete: (type, key, details, signal) => calls.delete(type, key, details, signal),
  };
}
