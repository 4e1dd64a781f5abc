import { openAudit } from '../../../src/engine/audit/audit.ts';
import type { CoreRequest } from '../../../src/engine/core/context.ts';
import { Core } from '../../../src/engine/core/core.ts';
import { envelope } from '../../../src/engine/core/envelope.ts';
import { createPipeline } from '../../../src/engine/core/pipeline.ts';
import type { Vault } from '../../../src/engine/core/vault.ts';
import { initializeDev } from '../../../src/engine/dev.ts';
import type { Physical } from '../../../src/engine/physical/physical.ts';
import { createProcessServices } from '../../../src/engine/process/process.ts';
import { factories } from '../../../src/engine/registry.ts';
import { createShamirSeal } from '../../../src/engine/seal/shamir.ts';
import { systemClock as clock } from '../../../src/lib/clock.ts';
import { plainKeyRandom } from '../../../src/lib/key-random.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { systemRandom as random } from '../../../src/lib/random.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'LIST';

export interface Answer {
  readonly status: number;
  readonly body: any;
}

const OPERATIONS = { GET: 'read', POST: 'update', PATCH: 'patch', DELETE: 'delete', LIST: 'list' } as const;

/** An open vault on a given storage, without an edge; every engine and method is mounted under its type. */
export class World {
  readonly core: Core;
  readonly #handle: ReturnType<typeof createPipeline>;
  root = '';

  private constructor(core: Core) {
    this.core = core;
    this.#handle = createPipeline(core);
  }

  static async open(physical: Physical): Promise<World> {
    const log = createLogger({ level: 'error' });
    const core = new Core({
      process: createProcessServices({
        log,
        clock,
        logLevel: 'error',
        sanitizedConfig: {},
        commandLine: [],
        reload: () => Promise.resolve(),
      }),
      rawStorage: true,
      disableSealWrap: false,
      physical,
      seal: createShamirSeal(random),
      factories,
      openAudit: (salt) => openAudit({ devices: [], salt, clock, log }),
      clock,
      random,
      keyRandom: plainKeyRandom(random),
      log,
      version: '0.0.0',
      buildDate: '',
      defaultLeaseTtl: 3600,
      maxLeaseTtl: 36_000,
      requirePgpShares: false,
      initClientName: undefined,
    });
    await core.start();
    const world = new World(core);
    world.root = (await initializeDev(core, '')).rootToken;
    for (const table of ['mounts', 'auth'] as const) {
      const types = Object.keys(factories[table === 'auth' ? 'auth' : 'secrets']);
      for (const type of types.flatMap((each) => (each === 'kv' ? ['kv-v1', 'kv-v2'] : [each])))
        await world.vault.mounts.mount({
          table,
          path: `${type}/`,
          type,
          description: '',
          local: false,
          sealWrap: false,
          options: null,
          config: { defaultLeaseTtl: 0, maxLeaseTtl: 0, forceNoCache: false },
        });
    }
    return world;
  }

  get vault(): Vault {
    const { vault } = this.core;
    if (vault === undefined) throw new Error('the vault is not open');
    return vault;
  }

  async call(
    method: Method,
    path: string,
    body: object = {},
    token: string = this.root,
    query?: URLSearchParams,
  ): Promise<Answer> {
    const request: CoreRequest = {
      id: random.uuid(),
      path,
      operation: OPERATIONS[method],
      body: body as CoreRequest['body'],
      query,
      token,
      wrapTtl: 0,
      method,
      headers: {},
      remoteAddress: '127.0.0.1',
      remotePort: 1,
      clientName: undefined,
      open: [],
      signal: new AbortController().signal,
    };
    return envelope(await this.#handle(request), request.id) as Answer;
  }

  /** Calls that has to go well. */
  async done(method: Method, path: string, body: object = {}, token: string = this.root): Promise<any> {
    const { status, body: answer } = await this.call(method, path, body, token);
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(answer)}`);
    return answer;
  }

  stop(): Promise<void> {
    return this.core.stop();
  }
}
