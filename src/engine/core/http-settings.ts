import { getJson, jsonPut, type Storage } from '../logical/storage.ts';

/** What browsers of other origins may do. */
export interface CorsSettings {
  readonly enabled: boolean;
  /** `*` alone is everyone. */
  readonly allowedOrigins: readonly string[];
  /** Beside the ones that are always allowed. */
  readonly allowedHeaders: readonly string[];
}

interface Stored {
  readonly cors: CorsSettings;
  /** Headers of pages, by name. */
  readonly ui: Readonly<Record<string, readonly string[]>>;
  /** Request headers that audit entries show, by lower-case name. */
  readonly audited: Readonly<Record<string, { readonly hmac: boolean }>>;
}

const NOTHING: Stored = {
  cors: { enabled: false, allowedOrigins: [], allowedHeaders: [] },
  ui: {},
  audited: {},
};

/** Settings of the HTTP edge that the API changes: read with every request, so they are kept in memory. */
export class HttpSettings {
  readonly #storage: Storage;
  #current: Stored;
  #changes: Promise<unknown> = Promise.resolve();

  private constructor(storage: Storage, current: Stored) {
    this.#storage = storage;
    this.#current = current;
  }

  static async open(storage: Storage): Promise<HttpSettings> {
    return new HttpSettings(storage, (await getJson<Stored>(storage, 'http')) ?? NOTHING);
  }

  get cors(): CorsSettings {
    return this.#current.cors;
  }

  get ui(): Stored['ui'] {
    return this.#current.ui;
  }

  get audited(): Stored['audited'] {
    return this.#current.audited;
  }

  setCors(cors: CorsSettings): Promise<void> {
    return this.#change((before) => ({ ...before, cors }));
  }

  /** @param values undefined to take a header away */
  setUi(name: string, values: readonly string[] | undefined): Promise<void> {
    return this.#change((before) => ({ ...before, ui: replaced(before.ui, name, values) }));
  }

  /** @param value undefined to take a header away */
  setAudited(name: string, value: { readonly hmac: boolean } | undefined): Promise<void> {
    return this.#change((before) => ({
      ...before,
      audited: replaced(before.audited, name.toLowerCase(), value),
    }));
  }

  #change(edit: (before: Stored) => Stored): Promise<void> {
    const turn = this.#changes.then(async () => {
      const next = edit(this.#current);
      await this.#storage.write([jsonPut('http', next)]);
      this.#current = next;
    });
    this.#changes = turn.catch(() => undefined);
    return turn;
  }
}

function replaced<T>(
  map: Readonly<Record<string, T>>,
  name: string,
  value: T | undefined,
): Readonly<Record<string, T>> {
  const rest = Object.entries(map).filter(([key]) => key !== name);
  return Object.fromEntries(value === undefined ? rest : [...rest, [name, value]]);
}
