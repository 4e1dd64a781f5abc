import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { detail } from './details.ts';
import { DatabaseFailed, withoutSecrets } from './errors.ts';
import type { DatabasePlugin, PluginType } from './plugin.ts';
import type { DatabaseConfig, DatabaseStore } from './store.ts';
import { parseTemplate, type Template, TemplateInvalid } from './template.ts';

/** An open connection of a configuration. */
export interface Connection {
  readonly config: DatabaseConfig;
  readonly plugin: DatabasePlugin;
  readonly usernames: Template;
}

interface Slot {
  readonly connection: Connection;
  users: number;
  retired: boolean;
  /** Called when the last user is done. */
  whenIdle: (() => void) | undefined;
}

/**
 * The open connections, one pool for each configuration. A pool that was replaced closes when its last user is done.
 * What changes a configuration or its password runs alone for that name.
 */
export class Connections {
  readonly #store: DatabaseStore;
  readonly #types: Readonly<Record<string, PluginType>>;
  readonly #slots = new Map<string, Slot>();
  readonly #mutex = new KeyedMutex();

  constructor(store: DatabaseStore, types: Readonly<Record<string, PluginType>>) {
    this.#store = store;
    this.#types = types;
  }

  /** Runs work that no other work on this configuration may be beside. */
  exclusive<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(name, work);
  }

  /** Runs work on the connection of a configuration. @throws ERR_DATABASE; also when there is no such configuration */
  async use<T>(
    name: string,
    work: (connection: Connection) => Promise<T>,
    secrets: readonly string[] = [],
  ): Promise<T> {
    const slot = await this.exclusive(name, () => this.#enter(name));
    return this.#run(slot, work, secrets);
  }

  /** The same for who runs alone already. */
  async useAlone<T>(
    name: string,
    work: (connection: Connection) => Promise<T>,
    secrets: readonly string[] = [],
  ): Promise<T> {
    return this.#run(await this.#enter(name), work, secrets);
  }

  /** For who runs alone: resolves when nobody uses the connection any more. */
  async idle(name: string): Promise<void> {
    const slot = this.#slots.get(name);
    if (slot === undefined || slot.users === 0) return;
    await new Promise<void>((resolve) => {
      slot.whenIdle = resolve;
    });
  }

  /** Makes a connection that is not used by anyone yet. @returns why not */
  async make(config: DatabaseConfig): Promise<Connection | { readonly refused: string }> {
    const type = Object.hasOwn(this.#types, config.pluginName) ? this.#types[config.pluginName] : undefined;
    if (type === undefined) return { refused: `plugin not found in the catalog: ${config.pluginName}` };
    const usernames = parseTemplate(detail(config.details, 'username_template') || type.usernameTemplate);
    if (usernames instanceof TemplateInvalid)
      return { refused: `unable to initialize username template: ${usernames.message}` };
    const plugin = await withoutSecrets([detail(config.details, 'password')], () =>
      type.open(config.details),
    );
    return 'refused' in plugin ? plugin : { config, plugin, usernames };
  }

  /** Puts a connection in the place of the one before. */
  put(name: string, connection: Connection): void {
    this.drop(name);
    this.#slots.set(name, { connection, users: 0, retired: false, whenIdle: undefined });
  }

  /** Forgets a connection; the next use opens a new one. */
  drop(name: string): void {
    const slot = this.#slots.get(name);
    if (slot === undefined) return;
    this.#slots.delete(name);
    slot.retired = true;
    closeUnused(slot);
  }

  async close(): Promise<void> {
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    await Promise.all(slots.map(({ connection }) => connection.plugin.close().catch(() => undefined)));
  }

  // Counted before anyone else can come between.
  async #enter(name: string): Promise<Slot> {
    const slot = await this.#open(name);
    slot.users += 1;
    return slot;
  }

  async #open(name: string): Promise<Slot> {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    const config = await this.#store.config(name);
    if (config === undefined)
      throw new DatabaseFailed(`failed to find entry for connection with name: ${JSON.stringify(name)}`);
    this.put(name, await this.#settled(name, config));
    const slot = this.#slots.get(name);
    if (slot === undefined) throw new TypeError('a connection that was just made is gone');
    return slot;
  }

  // A crash during the rotation of the root password leaves the intent: the server knows which password is right.
  async #settled(name: string, config: DatabaseConfig): Promise<Connection> {
    const intent = await this.#store.rootIntent(name);
    const current = await this.#made(config);
    if (intent === undefined) return current;
    const secrets = [detail(config.details, 'password'), intent.password];
    try {
      await current.plugin.verify();
      await this.#store.deleteRootIntent(name);
      return current;
    } catch {
      await current.plugin.close().catch(() => undefined);
    }
    const next = { ...config, details: { ...config.details, password: intent.password } };
    const changed = await this.#made(next);
    try {
      await withoutSecrets(secrets, () => changed.plugin.verify());
    } catch (error) {
      await changed.plugin.close().catch(() => undefined);
      throw error;
    }
    await this.#store.putConfig(name, next);
    return changed;
  }

  async #made(config: DatabaseConfig): Promise<Connection> {
    const made = await this.make(config);
    if ('refused' in made) throw new DatabaseFailed(made.refused);
    return made;
  }

  async #run<T>(
    slot: Slot,
    work: (connection: Connection) => Promise<T>,
    secrets: readonly string[],
  ): Promise<T> {
    const { connection } = slot;
    try {
      return await withoutSecrets([...secrets, detail(connection.config.details, 'password')], () =>
        work(connection),
      );
    } finally {
      slot.users -= 1;
      if (slot.users === 0) slot.whenIdle?.();
      closeUnused(slot);
    }
  }
}

// Nobody waits for a pool that nobody uses.
function closeUnused(slot: Slot): void {
  if (slot.retired && slot.users === 0) void slot.connection.plugin.close().catch(() => undefined);
}
