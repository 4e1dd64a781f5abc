import type { Backend } from '../../../../src/engine/logical/logical.ts';
import type { LogicalRequest, Operation } from '../../../../src/engine/logical/request.ts';
import type { StorageOperation } from '../../../../src/engine/logical/storage.ts';
import { createPki } from '../../../../src/engine/secrets/pki/pki.ts';
import { type Clock, systemClock } from '../../../../src/lib/clock.ts';
import type { JsonObject } from '../../../../src/lib/json.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { Memory } from '../identity/memory.ts';
import { noManagedKeys } from '../../../../src/engine/logical/managed-key.ts';

/** A storage whose writes can be made to fail. */
export class Breakable extends Memory {
  isBroken = false;
  writes = 0;

  override async write(operations: readonly StorageOperation[]): Promise<void> {
    this.writes += 1;
    if (this.isBroken) throw new Error('the medium is gone');
    await super.write(operations);
  }
}

/** A mount without an engine around it, with a clock that can be moved. */
export class TestPki {
  readonly storage: Breakable = new Breakable();
  readonly backend: Backend;
  /** Milliseconds that the clock is ahead. */
  ahead = 0;

  constructor() {
    const clock: Clock = { ...systemClock, now: () => Date.now() + this.ahead };
    this.backend = createPki({
      storage: this.storage,
      clock,
      random: systemRandom,
      openManagedKey: noManagedKeys,
      templateValues: async () => undefined,
    });
  }

  /** The answer of an operation. */
  // oxlint-disable-next-line typescript/no-explicit-any
  async call(operation: Exclude<Operation, 'create'>, path: string, body: JsonObject = {}): Promise<any> {
    const found = this.backend.paths.find(path);
    if (found === undefined) throw new Error(`no row for ${path}`);
    const request = {
      id: 'r',
      operation,
      path,
      mountPoint: 'pki/',
      body,
      query: undefined,
      token: undefined,
      tokenText: '',
      wrapTtl: 0,
      leaseTtl: { default: 2_764_800, max: 2_764_800 },
      remoteAddress: '',
      clientName: undefined,
      signal: new AbortController().signal,
    } satisfies LogicalRequest;
    return found.path.handle(request, found.values);
  }

  /** The data of an answer that must be one. */
  // oxlint-disable-next-line typescript/no-explicit-any
  async data(operation: Exclude<Operation, 'create'>, path: string, body?: JsonObject): Promise<any> {
    const answer = await this.call(operation, path, body);
    if (answer.kind !== 'data') throw new Error(`${path} answered ${JSON.stringify(answer)}`);
    return answer.data;
  }

  /** A mount with a root and a role `r`. */
  static async withRoot(): Promise<TestPki> {
    const pki = new TestPki();
    await pki.data('update', 'root/generate/internal', { common_name: 'Root', key_type: 'ec', ttl: '700h' });
    await pki.data('update', 'roles/r', { allow_any_name: true, key_type: 'ec' });
    return pki;
  }

  issue(more: JsonObject = {}): Promise<{ serial_number: string; certificate: string }> {
    return this.data('update', 'issue/r', { common_name: 'a.test', ttl: '1h', ...more });
  }
}
