import type { Entity } from '../../../src/engine/identity/model.ts';
import { IdentityStore } from '../../../src/engine/identity/store.ts';
import type { Backend } from '../../../src/engine/logical/logical.ts';
import type { LogicalRequest, Operation, TokenEntry } from '../../../src/engine/logical/request.ts';
import { createIdentity } from '../../../src/engine/secrets/identity/identity.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { JsonObject } from '../../../src/lib/json.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { Memory } from '../../unit/engine/identity/memory.ts';

export const ISSUER = 'https://vault.example:8200';

/** The backend with a clock that can be moved, and callers with an entity. */
export class TestBackend {
  readonly identity: IdentityStore;
  readonly backend: Backend;
  /** Milliseconds that the clock is ahead. */
  ahead = 0;

  constructor() {
    const clock: Clock = { ...systemClock, now: () => Date.now() + this.ahead };
    const ports = { clock, random: systemRandom };
    this.identity = new IdentityStore({ storage: new Memory(), ...ports });
    this.backend = createIdentity(
      { identity: this.identity, storage: new Memory(), ...ports, apiAddress: ISSUER },
      () => undefined,
      { hasAccessor: (name) => name === 'auth_ldap_1', hasType: (name) => name === 'ldap' },
    );
  }

  async call(
    operation: Exclude<Operation, 'create'>,
    path: string,
    body: JsonObject = {},
    entityId = '',
    more: Partial<LogicalRequest> = {},
  ): Promise<any> {
    const found = this.backend.paths.find(path);
    if (found === undefined) throw new Error(`no row for ${path}`);
    const token = { entityId, hash: `token of ${entityId}`, creationTime: 1 } as TokenEntry;
    const request = {
      id: 'r',
      operation,
      path,
      mountPoint: 'identity/',
      body,
      query: undefined,
      token,
      tokenText: '',
      wrapTtl: 0,
      leaseTtl: { default: 0, max: 0 },
      remoteAddress: '',
      clientName: undefined,
      signal: new AbortController().signal,
      ...more,
    } satisfies LogicalRequest;
    return found.path.handle(request, found.values);
  }

  login(name: string, metadata: Record<string, string> = {}): Promise<Entity> {
    const mount = { mountAccessor: 'auth_ldap_1', mountType: 'ldap', mountPath: 'auth/ldap/' };
    return this.identity.resolveAlias({ ...mount, name, metadata });
  }
}
