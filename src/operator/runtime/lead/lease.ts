import type { Connection } from '../api/connection.ts';
import { collectionPath, objectPath } from '../api/paths.ts';
import { statusOf } from '../errors.ts';
import type { KubeObject, ObjectKey, ResourceType } from '../runtime.ts';

const LEASE: ResourceType = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' };

/** What a Lease says. */
export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** A lease as it was read: its version is needed to write it. */
export interface Lease {
  readonly version: string;
  readonly spec: LeaseSpec;
}

/** Where the lease is kept. A write whose version is not the last one is refused. */
export interface LeaseStore {
  /** @returns undefined when there is none yet */
  read(signal: AbortSignal): Promise<Lease | undefined>;
  /** @returns undefined when another one wrote before us */
  write(version: string | undefined, spec: LeaseSpec, signal: AbortSignal): Promise<Lease | undefined>;
}

/** @returns a lease in the API server. */
export function leaseStore(connection: Connection, key: ObjectKey, timeoutMs: number): LeaseStore {
  const shared = { resource: 'leases', urgent: true, timeoutMs };
  const take = (answer: unknown): Lease => {
    const { metadata, spec } = answer as KubeObject & { readonly spec?: LeaseSpec };
    return { version: metadata.resourceVersion ?? '', spec: spec ?? {} };
  };
  return {
    read: async (signal) => {
      try {
        const path = objectPath(LEASE, key);
        return take(await connection.request({ ...shared, verb: 'get', method: 'GET', path, signal }));
      } catch (error: unknown) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    },
    write: async (version, spec, signal) => {
      const metadata = { ...key, ...(version === undefined ? {} : { resourceVersion: version }) };
      const body = { apiVersion: LEASE.apiVersion, kind: LEASE.kind, metadata, spec };
      const how =
        version === undefined
          ? ({ verb: 'create', method: 'POST', path: collectionPath(LEASE, key.namespace) } as const)
          : ({ verb: 'update', method: 'PUT', path: objectPath(LEASE, key) } as const);
      try {
        return take(await connection.request({ ...shared, ...how, body, signal }));
      } catch (error: unknown) {
        if (statusOf(error) === 409) return undefined;
        throw error;
      }
    },
  };
}
