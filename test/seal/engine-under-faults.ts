import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLmdb } from '../../src/engine/physical/lmdb.ts';
import { readSealConfig, readStoredKey } from '../../src/engine/core/seal-store.ts';
import { EngineProcess } from '../api/support/process.ts';
import { fault, type FaultLibrary } from './fault-library.ts';
import { type Fault, pause } from './fault-schedule.ts';
import { children, configOf, makeSeal, makeToken, SIGNAL } from './support.ts';

/** Short, so that a hang costs seconds. */
const TIMEOUTS = { call_timeout: '1s', open_timeout: '3s' };
const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
/** Longer than anything takes on a loaded machine: what takes longer is lost. */
const LOST_MS = 15_000;

export interface Load {
  readonly acknowledged: Map<string, string>;
  readonly lost: string[];
  readonly wrong: string[];
  readonly recoveries: number[];
  plain: number;
  sealed: number;
  refused: number;
  rotations: number;
}

/**
 * An engine as a process of its own, with the HSM agent as its child or beside it as a sidecar, before a SoftHSM token
 * that misbehaves on demand; with clients that write, and keep book of what was acknowledged.
 */
export class EngineUnderFaults {
  readonly engine: EngineProcess = new EngineProcess(makeToken('canary-pin-uF4'));
  readonly load: Load = {
    acknowledged: new Map(),
    lost: [],
    wrong: [],
    recoveries: [],
    plain: 0,
    sealed: 0,
    refused: 0,
    rotations: 0,
  };
  readonly #seal: Record<string, string>;
  readonly #placement: 'child' | 'sidecar';
  #sidecar: ChildProcess | undefined;
  #sidecarOutput = '';
  #root = '';
  /** Grows whenever the engine goes or comes; odd while it is away. */
  #life = 1;
  #ended = false;

  constructor(library: FaultLibrary, placement: 'child' | 'sidecar') {
    this.#placement = placement;
    const { token } = this.engine;
    this.#seal = { ...library.on(token), ...TIMEOUTS };
  }

  async start(): Promise<void> {
    if (this.#placement === 'sidecar') this.#startSidecar();
    await this.#startEngine();
    const answer = await this.engine.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 });
    if (answer?.status !== 200) throw new Error(`init: ${JSON.stringify(answer)}\n${this.engine.output}`);
    this.#root = answer.body.root_token;
    await this.engine.active();
    for (const [path, wrapped] of [
      ['plain', false],
      ['sealed', true],
    ] as const) {
      const mounted = await this.#call('POST', `sys/mounts/${path}`, { type: 'kv', seal_wrap: wrapped });
      if (mounted?.status !== 204) throw new Error(`mount: ${JSON.stringify(mounted)}`);
    }
    this.#life += 1;
  }

  /** The clients, until the end. */
  clients(): Promise<unknown> {
    return Promise.all([
      ...Array.from({ length: 4 }, (_, id) => this.#plainWriter(id)),
      ...Array.from({ length: 2 }, (_, id) => this.#sealedWriter(id)),
      this.#rotator(),
    ]);
  }

  end(): void {
    this.#ended = true;
  }

  /** Does what the schedule says, undoes it, and waits until the HSM is used again. */
  async suffer(step: Fault, n: number): Promise<void> {
    await pause(step.afterMs);
    await this.#do(step, n);
    const from = performance.now();
    await this.engine.until(
      async () => (await this.#writeSealed(`recovery-${n}`)) === 200,
      `recovery from ${step.kind}`,
    );
    this.load.recoveries.push(Math.round(performance.now() - from));
  }

  /** @returns what was acknowledged and is not there, or is different, after one more kill -9 */
  async missing(): Promise<string[]> {
    await this.#killEngine(() => Promise.resolve());
    const missing: string[] = [];
    for (const [path, value] of this.load.acknowledged) {
      const answer = await this.#call('GET', path);
      if (answer?.body?.data?.value !== value) missing.push(`${path}: ${answer?.status}`);
    }
    return missing;
  }

  /** Stops everything, takes the root key out of the storage with the HSM's help. @returns where it or the PIN stand in clear */
  async leaks(): Promise<string[]> {
    await this.engine.kill('SIGTERM');
    await this.#stopSidecar();
    const { token, dir } = this.engine;
    await using physical = Object.assign(await openLmdb({ path: join(dir, 'data') }), {
      async [Symbol.asyncDispose]() {
        await physical.close();
      },
    });
    await using seal = makeSeal(configOf(token));
    const clusterId = (await readSealConfig(physical))?.clusterId ?? '';
    const blob = (await readStoredKey(physical)) ?? new Uint8Array();
    using rootKey = await seal.unwrap(blob, { clusterId, purpose: 'root-key' }, { signal: SIGNAL });
    const key = rootKey.borrow((bytes) => Buffer.from(bytes));
    if (key.length < 32) throw new Error('that is no root key');
    const secrets = [key, key.toString('hex'), key.toString('base64').replace(/=+$/, ''), token.pin];
    const files = [dir, token.dir].flatMap((folder) =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    );
    const places: [string, Buffer][] = [
      ...files.map((file): [string, Buffer] => [file, readFileSync(file)]),
      ['the output of the engine', Buffer.from(this.engine.output)],
      ['the output of the agent', Buffer.from(this.#sidecarOutput)],
    ];
    if (files.length < 4) throw new Error('too few files were searched');
    return places.filter(([, bytes]) => secrets.some((each) => bytes.includes(each))).map(([place]) => place);
  }

  async remove(): Promise<void> {
    this.#ended = true;
    await this.#stopSidecar();
    await this.engine.remove();
  }

  async #do(step: Fault, n: number): Promise<void> {
    const { token } = this.engine;
    const failing = async (what: string | number): Promise<void> => {
      fault(token, step.at, what, step.times);
      await pause(step.forMs);
      fault(token, step.at, 0, 0);
    };
    switch (step.kind) {
      case 'hang':
        fault(token, step.at, 'hang', 1);
        await pause(step.forMs + 1_000);
        fault(token, step.at, 0, 0);
        break;
      case 'crash':
        await failing('crash');
        break;
      case 'dropped session':
        await failing(179);
        break;
      case 'logged out':
        await failing(257);
        break;
      case 'device error':
        await failing(48);
        break;
      case 'session limit':
        fault(token, 'C_OpenSession', 177, step.times);
        await failing(179);
        fault(token, 'C_OpenSession', 0, 0);
        break;
      case 'kill agent':
        for (const pid of this.#agents()) process.kill(pid, 'SIGKILL');
        if (this.#sidecar !== undefined && step.times > 2) {
          await this.#stopSidecar();
          await pause(step.forMs);
          this.#startSidecar();
        }
        break;
      case 'stop agent': {
        const pids = [...this.#agents(), ...(step.times > 2 ? [this.#sidecar?.pid ?? 0] : [])].filter(
          Boolean,
        );
        for (const pid of pids) signal(pid, 'SIGSTOP');
        await pause(step.forMs);
        for (const pid of pids) signal(pid, 'SIGCONT');
        break;
      }
      case 'token away':
        await this.#withoutToken(n, () => pause(step.forMs));
        break;
      case 'kill engine':
        await this.#killEngine(() => pause(step.forMs / 4));
        break;
      case 'kill engine while the token is away':
        await this.#killEngine(() =>
          this.#withoutToken(n, async () => {
            await this.#startEngine();
            await pause(step.forMs);
          }),
        );
        break;
    }
  }

  async #withoutToken(n: number, meanwhile: () => Promise<void>): Promise<void> {
    const { tokens } = this.engine.token;
    renameSync(tokens, `${tokens}.away`);
    try {
      await meanwhile();
    } finally {
      // A library that started meanwhile may have made an empty folder of the name.
      if (existsSync(tokens)) renameSync(tokens, `${tokens}.${n}`);
      renameSync(`${tokens}.away`, tokens);
    }
  }

  async #killEngine(meanwhile: () => Promise<void>): Promise<void> {
    this.#life += 1;
    const before = this.engine.pid;
    await this.engine.kill('SIGKILL');
    await meanwhile();
    if (this.engine.pid === before) await this.#startEngine();
    await this.engine.active();
    this.#life += 1;
  }

  async #startEngine(): Promise<void> {
    const { token } = this.engine;
    if (this.#placement === 'child') await this.engine.start({ seal: this.#seal });
    else {
      const seal = { agent_address: `unix://${join(token.dir, 'run', 'agent.sock')}`, ...TIMEOUTS };
      await this.engine.start({ seal, env: { VAULT_HSM_PIN: '' } });
    }
  }

  #startSidecar(): void {
    const { token } = this.engine;
    const file = join(token.dir, 'agent.json');
    const seal = { token_label: token.label, key_label: 'root', generate_key: 'true', ...this.#seal };
    writeFileSync(file, JSON.stringify({ seal: { pkcs11: seal } }), { mode: 0o600 });
    const listen = join(token.dir, 'run', 'agent.sock');
    const env = { PATH: process.env['PATH'] ?? '', ...token.env, VAULT_HSM_PIN: token.pin };
    const child = spawn(process.execPath, [MAIN, 'hsm-agent', `-config=${file}`, `-listen=${listen}`], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.#sidecarOutput += chunk.toString();
      });
    this.#sidecar = child;
  }

  async #stopSidecar(): Promise<void> {
    const child = this.#sidecar;
    this.#sidecar = undefined;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** The processes that hold the library. */
  #agents(): number[] {
    return children(this.#placement === 'child' ? this.engine.pid : (this.#sidecar?.pid ?? -1));
  }

  async #call(method: string, path: string, body?: object): ReturnType<EngineProcess['call']> {
    const late = pause(LOST_MS).then(() => undefined);
    return Promise.race([this.engine.call(method, path, body, this.#root), late]);
  }

  async #plainWriter(id: number): Promise<void> {
    for (let n = 0; !this.#ended; n += 1) {
      const life = this.#life;
      if (life % 2 === 1) {
        await pause(20);
        continue;
      }
      const path = `plain/${id}-${n}`;
      const value = `canary-value-${id}-${n}`;
      const written = await this.#call('POST', path, { value });
      const answer = await this.#call('GET', path);
      if (written?.status === 204) this.load.acknowledged.set(path, value);
      if (life !== this.#life) continue;
      if (written?.status !== 204 || answer?.status !== 200)
        this.load.lost.push(`${path}: ${written?.status} ${answer?.status}`);
      else if (answer.body.data.value !== value) this.load.wrong.push(path);
      else this.load.plain += 2;
      await pause(2);
    }
  }

  async #sealedWriter(id: number): Promise<void> {
    for (let n = 0; !this.#ended; n += 1) {
      if ((await this.#writeSealed(`${id}-${n}`)) === 200) this.load.sealed += 1;
      else {
        this.load.refused += 1;
        await pause(30);
      }
      await pause(5);
    }
  }

  /** @returns 200 when it was written and is read back */
  async #writeSealed(name: string): Promise<number | undefined> {
    const path = `sealed/${name}`;
    const value = `canary-sealed-${name}`;
    const written = await this.#call('POST', path, { value });
    if (written?.status !== 204) return written?.status;
    this.load.acknowledged.set(path, value);
    const answer = await this.#call('GET', path);
    if (answer?.status === 200 && answer.body.data.value !== value) this.load.wrong.push(path);
    return answer?.status;
  }

  // The root key is replaced all the time: each kill may hit the moment.
  async #rotator(): Promise<void> {
    while (!this.#ended) {
      if ((await this.#call('POST', 'sys/rotate/root'))?.status === 204) this.load.rotations += 1;
      await pause(150);
    }
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It was killed meanwhile, at its deadline.
  }
}
