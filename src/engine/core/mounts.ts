import { KeyedMutex } from '../../lib/keyed-mutex.ts';
import { plainKeyRandom } from '../../lib/key-random.ts';
import type { Backend } from '../logical/logical.ts';
import type { LeaseTtl } from '../logical/request.ts';
import { formatOf, refuseFormat, type StorageFormat } from '../logical/storage-format.ts';
import type { MountTableOptions } from './mount-options.ts';
import { defaultMounts } from './default-mounts.ts';
import { upgradingBackend } from './mount-upgrade.ts';
import {
  factoryName,
  foldersOf,
  type MountRefusal,
  newEntry,
  prefixOf,
  refuseMount,
  SINGLETONS,
} from './mount-entry.ts';
import type { SealWrapArea } from './seal-wrap.ts';
import { clear, getJson, jsonPut, type Storage, type StorageOperation, view } from '../logical/storage.ts';
import {
  type MountConfig,
  type MountEntry,
  type Mounted,
  type MountRequest,
  folderOf,
  Router,
} from '../mount/mount.ts';

/** The persistent tables `core/mounts` and `core/auth`, and the backends that run for them. */
export class MountTable {
  readonly router: Router = new Router();
  readonly #options: MountTableOptions;
  #entries: readonly MountEntry[] = [];
  /** By accessor: requests share a mount, and what ends or replaces its backend has it alone. Changes of the tables: empty. */
  readonly #use = new KeyedMutex();

  private constructor(options: MountTableOptions) {
    this.#options = options;
  }

  /** Reads both tables, writes the default mounts the first time, finishes unmounts that a crash cut off. */
  static async open(options: MountTableOptions): Promise<MountTable> {
    const table = new MountTable(options);
    const mounts = await getJson<MountEntry[]>(options.storage, 'core/mounts');
    const auth = await getJson<MountEntry[]>(options.storage, 'core/auth');
    if (mounts === undefined || auth === undefined)
      await table.#save(defaultMounts.map((request) => newEntry(request, options.random)));
    else await table.#load([...mounts, ...auth]);
    for (const entry of table.#entries) await table.#start(entry);
    for (const uuid of await options.storage.list('core/unmounted/')) await table.#purge(uuid);
    return table;
  }

  // A vault that was made before a default mount was one gets it now.
  async #load(stored: readonly MountEntry[]): Promise<void> {
    const has = (wanted: MountEntry): boolean => stored.some(({ type }) => type === wanted.type);
    const missing = defaultMounts
      .map((request) => newEntry(request, this.#options.random))
      .filter((entry) => !has(entry));
    if (missing.length > 0) await this.#save([...stored, ...missing]);
    else this.#entries = stored;
  }

  entries(table: 'mounts' | 'auth'): MountEntry[] {
    return this.#entries
      .filter((entry) => entry.table === table)
      .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** The limits in force for a mount, in seconds. */
  leaseTtl(config: MountConfig): LeaseTtl {
    return {
      default: config.defaultLeaseTtl || this.#options.defaultLeaseTtl,
      max: config.maxLeaseTtl || this.#options.maxLeaseTtl,
    };
  }

  mount(request: MountRequest): Promise<MountEntry | MountRefusal> {
    return this.#exclusive(async () => {
      const known = this.#options.factories[request.table === 'auth' ? 'auth' : 'secrets'];
      const unmountable = refuseMount(request, known);
      if (unmountable !== undefined) return { refused: unmountable };
      const conflict = this.router.conflict(request.table === 'auth' ? `auth/${request.path}` : request.path);
      if (conflict !== undefined) return { refused: `path is already in use at ${conflict.entry.path}` };
      const entry = newEntry(request, this.#options.random);
      const refused = refuseFormat(this.#format(entry), entry.options);
      if (refused !== undefined) return { refused };
      await this.#save([...this.#entries, entry]);
      await this.#start(entry);
      return entry;
    });
  }

  /** Unmounts and deletes the data. Unknown paths are fine. */
  unmount(table: 'mounts' | 'auth', path: string): Promise<MountRefusal | undefined> {
    return this.#exclusive(async () => {
      const entry = this.#find(table, path);
      if (entry === undefined) return undefined;
      if (SINGLETONS.includes(entry.type)) return { refused: `cannot unmount ${JSON.stringify(entry.path)}` };
      const failed = await this.#emptied(prefixOf(entry));
      if (failed !== undefined) return { refused: failed };
      // The marker goes with the table's change: what a crash leaves of the data is removed at the next start.
      const folders = foldersOf(entry);
      await this.#save(
        this.#entries.filter((each) => each !== entry),
        ...folders.map((id) => jsonPut(`core/unmounted/${id}`, { table })),
      );
      const running = this.router.get(prefixOf(entry));
      this.router.delete(prefixOf(entry));
      await running?.backend.close?.();
      for (const id of folders) await this.#purge(id);
      return undefined;
    });
  }

  /** Replaces description, tuning or options. @returns undefined for an unknown path, or why not */
  tune(
    table: 'mounts' | 'auth',
    path: string,
    edit: (entry: MountEntry) => MountEntry | MountRefusal,
  ): Promise<MountEntry | MountRefusal | undefined> {
    return this.#exclusive(async () => {
      const entry = this.#find(table, path);
      if (entry === undefined) return undefined;
      const edited = edit(entry);
      if ('refused' in edited) return edited;
      const format = this.#format(entry);
      const refused = refuseFormat(format, edited.options, entry.options);
      if (refused !== undefined) return { refused };
      const before = formatOf(format, entry.options);
      const changes = before !== formatOf(format, edited.options);
      const next: MountEntry = changes
        ? {
            ...edited,
            folder: this.#options.random.uuid(),
            upgradingFrom: { folder: folderOf(entry), format: before },
          }
        : edited;
      await this.#save(this.#entries.map((each) => (each === entry ? next : each)));
      const running = this.router.get(prefixOf(entry));
      if (changes || running === undefined) await this.#restart(next);
      else this.router.set({ ...running, entry: next, leaseTtl: this.leaseTtl(next.config) });
      return next;
    });
  }

  /**
   * Gives a mount another path; it keeps its UUID, its accessor and its data.
   * @param from the path in the API, with `auth/` for auth methods. @returns why not
   */
  remount(from: string, to: string): Promise<MountRefusal | undefined> {
    return this.#exclusive(async () => {
      const running = this.router.get(from);
      if (running === undefined) return { refused: `no matching mount at ${JSON.stringify(from)}` };
      const { entry } = running;
      const isAuth = to.startsWith('auth/');
      if (SINGLETONS.includes(entry.type)) return { refused: `cannot remount ${JSON.stringify(from)}` };
      if (entry.table === 'auth' && !isAuth)
        return { refused: `cannot remount auth mount to non-auth mount ${JSON.stringify(to)}` };
      if (entry.table !== 'auth' && isAuth)
        return { refused: `cannot remount secret mount to auth mount ${JSON.stringify(to)}` };
      const conflict = this.router.conflict(to);
      if (conflict !== undefined)
        return { refused: `path already in use at ${JSON.stringify(conflict.prefix)}` };
      const failed = await this.#emptied(from);
      if (failed !== undefined) return { refused: failed };
      const moved = { ...entry, path: isAuth ? to.slice('auth/'.length) : to };
      await this.#save(this.#entries.map((each) => (each === entry ? moved : each)));
      // Never served at both paths; the backend knows its storage only, and goes on as it is.
      this.router.delete(from);
      this.router.set({ ...running, entry: moved, prefix: prefixOf(moved) });
      return undefined;
    });
  }

  /** Makes backends anew: all of a type, or those at paths in the API. @returns why not */
  reload(type: string, paths: readonly string[]): Promise<MountRefusal | undefined> {
    return this.#exclusive(async () => {
      const wanted: MountEntry[] = [];
      for (const path of paths) {
        const running = this.router.get(path.endsWith('/') ? path : `${path}/`);
        if (running === undefined) return { refused: `cannot fetch mount entry on ${JSON.stringify(path)}` };
        wanted.push(running.entry);
      }
      if (type !== '') wanted.push(...this.#entries.filter((entry) => entry.type === factoryName(type)));
      for (const entry of wanted) if (!SINGLETONS.includes(entry.type)) await this.#restart(entry);
      return undefined;
    });
  }

  /**
   * Runs a request of a mount. A mount is emptied, and its backend replaced, between requests only.
   * @param work whether the mount still runs as it was routed to
   */
  serve<T>({ entry, backend, prefix }: Mounted, work: (still: boolean) => Promise<T>): Promise<T> {
    return this.#use.share(entry.accessor, () => {
      const now = this.router.get(prefix);
      return work(now?.backend === backend && now.tainted !== true);
    });
  }

  clearCubbyhole(tokenHash: string): Promise<void> {
    return this.#options.factories.clearCubbyhole(this.cubbyhole(), tokenHash);
  }

  /** The storage of the cubbyhole mount, which is always there. */
  cubbyhole(): Storage {
    const entry = this.#entries.find(({ type }) => type === 'cubbyhole');
    if (entry === undefined) throw new TypeError('the cubbyhole is not mounted');
    return this.#storageOf(entry);
  }

  /** Serves a backend that is no plug-in, such as the system backend. */
  install(path: string, backend: Backend): void {
    const entry = this.#entries.find((each) => each.table === 'mounts' && each.path === path);
    if (entry !== undefined)
      this.router.set({ entry, backend, prefix: path, leaseTtl: this.leaseTtl(entry.config) });
  }

  /** The mount of an accessor, while it runs. */
  byAccessor(accessor: string): Mounted | undefined {
    return this.router.all().find((mounted) => mounted.entry.accessor === accessor);
  }

  /** Ends the connections of all backends. */
  async close(): Promise<void> {
    await Promise.all(this.router.all().map(({ backend }) => backend.close?.() ?? Promise.resolve()));
  }

  // Nobody is served while what the mount gave is taken back; on failure it serves on.
  async #emptied(prefix: string): Promise<string | undefined> {
    const running = this.router.get(prefix);
    if (running === undefined) return undefined;
    this.router.set({ ...running, tainted: true });
    // What was asked before is done, and leaves its tokens and leases behind.
    await this.#use.run(running.entry.accessor, () => Promise.resolve());
    try {
      const failed = await this.#options.revokeAll(prefix);
      if (failed !== undefined) this.router.set(running);
      return failed;
    } catch (error) {
      this.router.set(running);
      throw error;
    }
  }

  #find(table: 'mounts' | 'auth', path: string): MountEntry | undefined {
    return this.#entries.find((entry) => entry.table === table && entry.path === path);
  }

  // Two backends of one storage would each believe to be the only one. The system backend itself asks for this.
  #restart(entry: MountEntry): Promise<void> {
    const start = (): Promise<void> => this.#start(entry);
    return entry.type === 'system' ? start() : this.#use.run(entry.accessor, start);
  }

  async #start(entry: MountEntry): Promise<void> {
    const format = this.#format(entry);
    const before = this.router.get(prefixOf(entry));
    let mounted: Mounted | undefined;
    if (entry.upgradingFrom !== undefined && format !== undefined) {
      await before?.backend.close?.();
      mounted = this.#mounted(entry, this.#upgrade(entry, format));
    } else {
      const backend = await this.#build(entry);
      if (backend === undefined) return;
      mounted = this.#mounted(entry, backend);
    }
    this.router.set(mounted);
    // What the old one still does ends by itself; nobody waits for it.
    if (before !== undefined) void before.backend.close?.().catch(() => undefined);
  }

  #mounted(entry: MountEntry, backend: Backend): Mounted {
    return { entry, backend, prefix: prefixOf(entry), leaseTtl: this.leaseTtl(entry.config) };
  }

  #upgrade(entry: MountEntry, format: StorageFormat): Backend {
    const { folder: old, format: oldFormat } = entry.upgradingFrom ?? { folder: '', format: '' };
    const from = this.#storageOf(entry, old, oldFormat);
    const to = this.#storageOf(entry);
    return upgradingBackend(
      entry.type,
      () => format.upgrade(from, to, this.#options),
      () => this.#exclusive(() => this.#upgraded(entry.uuid)),
    );
  }

  async #upgraded(uuid: string): Promise<void> {
    const entry = this.#entries.find((each) => each.uuid === uuid);
    if (entry === undefined) return;
    const { upgradingFrom: _done, ...next } = entry;
    await this.#save(this.#entries.map((each) => (each === entry ? next : each)));
    await this.#restart(next);
  }

  async #build(entry: MountEntry): Promise<Backend | undefined> {
    const { factories, clock, random, keyRandom, tokens, policies, identity } = this.#options;
    const factory = factories[entry.table === 'auth' ? 'auth' : 'secrets'][factoryName(entry.type)];
    return factory?.({
      accessor: entry.accessor,
      storage: this.#storageOf(entry),
      clock,
      random,
      keyRandom: entry.externalEntropyAccess ? keyRandom : plainKeyRandom(random),
      format: formatOf(this.#format(entry), entry.options),
      tokens,
      policies,
      identity,
      backendByAccessor: (accessor) => this.byAccessor(accessor)?.backend,
      hasAuthType: (type) => this.#entries.some((each) => each.table === 'auth' && each.type === type),
      apiAddress: this.#options.apiAddress ?? '',
      passwordFrom: this.#options.passwordFrom,
      openManagedKey: (ref) =>
        this.#options.managedKeys.openFor(
          this.#entries.find(({ uuid }) => uuid === entry.uuid),
          ref,
        ),
      mountByAccessor: (accessor) => this.#entries.find((each) => each.accessor === accessor),
    });
  }

  #format({ table, type }: MountEntry): StorageFormat | undefined {
    const { formats } = this.#options.factories;
    const name = factoryName(type);
    return table === 'mounts' && Object.hasOwn(formats, name) ? formats[name] : undefined;
  }

  /** Where the critical values of mounts with seal_wrap are. */
  sealWrapAreas(): SealWrapArea[] {
    return this.#entries
      .filter(({ sealWrap }) => sealWrap)
      .flatMap((entry) => [
        this.#areaOf(entry),
        ...(entry.upgradingFrom === undefined
          ? []
          : [this.#areaOf(entry, entry.upgradingFrom.folder, entry.upgradingFrom.format)]),
      ]);
  }

  #areaOf(
    entry: MountEntry,
    folder: string = folderOf(entry),
    format: string = formatOf(this.#format(entry), entry.options),
  ): SealWrapArea {
    const { sealWrapped } = this.#options.factories;
    const type = factoryName(entry.type);
    const critical = Object.hasOwn(sealWrapped, type) ? (sealWrapped[type]?.(format) ?? []) : [];
    return { prefix: `${entry.table === 'auth' ? 'auth' : 'logical'}/${folder}/`, critical };
  }

  #storageOf(entry: MountEntry, ...place: readonly [folder?: string, format?: string]): Storage {
    const area = this.#areaOf(entry, ...place);
    const { storage, sealWrap } = this.#options;
    return view(entry.sealWrap ? sealWrap.storage(area) : storage, area.prefix);
  }

  async #purge(uuid: string): Promise<void> {
    for (const table of ['logical', 'auth']) await clear(this.#options.storage, `${table}/${uuid}/`);
    await this.#options.storage.delete(`core/unmounted/${uuid}`);
  }

  async #save(entries: readonly MountEntry[], ...more: readonly StorageOperation[]): Promise<void> {
    await this.#options.storage.write([
      ...more,
      jsonPut(
        'core/mounts',
        entries.filter((entry) => entry.table === 'mounts'),
      ),
      jsonPut(
        'core/auth',
        entries.filter((entry) => entry.table === 'auth'),
      ),
    ]);
    this.#entries = entries;
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#use.run('', work);
  }
}
