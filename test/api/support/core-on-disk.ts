import { Core } from '../../../src/engine/core/core.ts';
import type { CoreRequest } from '../../../src/engine/core/context.ts';
import { createPipeline } from '../../../src/engine/core/pipeline.ts';
import { envelope } from '../../../src/engine/core/envelope.ts';
import { openAudit } from '../../../src/engine/audit/audit.ts';
import type { Physical } from '../../../src/engine/physical/physical.ts';
import { createProcessServices } from '../../../src/engine/process/process.ts';
import { factories } from '../../../src/engine/registry.ts';
import type { Seal } from '../../../src/engine/seal/seal.ts';
import { systemClock as clock } from '../../../src/lib/clock.ts';
import { plainKeyRandom } from '../../../src/lib/key-random.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { systemRandom as random } from '../../../src/lib/random.ts';

/** An engine without its edge, on a given storage and seal; what it logs is kept. */
export class CoreOnDisk {
  readonly logLines: string[] = [];
  readonly #core: Core;
  readonly #handle: ReturnType<typeof createPipeline>;

  constructor(physical: Physical, seal: Seal) {
    const log = createLogger({
      level: 'debug',
      destination: { write: (line: string) => void this.logLines.push(line) },
    });
    this.#core = new Core({
      physical,
      seal,
      factories,
      openAudit: (salt) => openAudit({ devices: [], salt, clock, log }),
      clock,
      random,
      keyRandom: plainKeyRandom(random),
      log,
      version: '0.0.0',
      buildDate: '',
      defaultLeaseTtl: 3600,
      maxLeaseTtl: 3600,
      requirePgpShares: false,
      rawStorage: false,
      disableSealWrap: false,
      initClientName: undefined,
      process: createProcessServices({
        log,
        clock,
        logLevel: 'debug',
        sanitizedConfig: {},
        commandLine: [],
        reload: () => Promise.resolve(),
      }),
    });
    this.#handle = createPipeline(this.#core);
  }

  start(): Promise<void> {
    return this.#core.start();
  }

  stop(): Promise<void> {
    return this.#core.stop();
  }

  isUnsealed(): boolean {
    return this.#core.isUnsealed();
  }

  /** @returns status and body; status 500 for what threw */
  async call(
    method: 'GET' | 'PUT' | 'DELETE',
    path: string,
    body: object,
    token = '',
  ): Promise<{ status: number; body: any }> {
    const request: CoreRequest = {
      id: random.uuid(),
      path,
      operation: method === 'GET' ? 'read' : method === 'PUT' ? 'update' : 'delete',
      body: body as CoreRequest['body'],
      query: undefined,
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
    try {
      return envelope(await this.#handle(request), request.id);
    } catch (error) {
      return { status: 500, body: { errors: [String(error)] } };
    }
  }
}
