import { open } from 'lmdb';
import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import {
  assertKeys,
  isStorableKey,
  type ListOptions,
  type Physical,
  type PhysicalOperation,
  PhysicalError,
} from './physical.ts';

export interface LmdbOptions {
  /** Folder of the data; made with mode 0700 when it is missing. */
  readonly path: string;
  /** The name that sys/seal-status shows. */
  readonly type?: string;
}

/**
 * An embedded LMDB environment: one process, group commit, each commit synced before it is acknowledged.
 * @throws ERR_PHYSICAL when the folder cannot be opened, or another process on this machine has it open
 */
export async function openLmdb(options: LmdbOptions): Promise<Physical> {
  makeFolder(options.path);
  const lock = await claim(options.path);
  const db = openEnvironment(options.path);
  let closed = false;

  return {
    type: options.type ?? 'lmdb',
    get: (key) => {
      if (closed) return Promise.reject(new PhysicalError('the storage is closed'));
      if (!isStorableKey(key)) return Promise.resolve(undefined);
      try {
        const value = db.get(key);
        // A copy: the binding reuses its read buffer.
        return Promise.resolve(value === undefined ? undefined : Uint8Array.from(value));
      } catch (error) {
        return Promise.reject(new PhysicalError('reading from the storage failed', { cause: error }));
      }
    },
    write: async (operations) => {
      // A key that LMDB refuses would block the batch it is in for ever, so it never gets that far.
      assertKeys(operations);
      if (closed) throw new PhysicalError('the storage is closed');
      try {
        const [first] = operations;
        if (operations.length === 1 && first !== undefined) await apply(first);
        else {
          await db.batch(() => {
            for (const operation of operations) void apply(operation);
          });
        }
      } catch (error) {
        throw new PhysicalError('writing to the storage failed', {
          cause: error,
          hint: 'check that the volume is writable and has free space',
        });
      }
    },
    list: (prefix, listOptions) => {
      if (closed) return Promise.reject(new PhysicalError('the storage is closed'));
      try {
        return Promise.resolve(listChildren(prefix, listOptions));
      } catch (error) {
        return Promise.reject(new PhysicalError('listing the storage failed', { cause: error }));
      }
    },
    close: async () => {
      if (closed) return;
      closed = true;
      await db.close();
      lock.close();
    },
  };

  function apply(operation: PhysicalOperation): Promise<boolean> {
    return operation.type === 'put' ? db.put(operation.key, operation.value) : db.remove(operation.key);
  }

  function listChildren(prefix: string, { after, limit }: ListOptions = {}): string[] {
    const names: string[] = [];
    const end = `${prefix}\u{10ffff}`;
    let start: string | undefined = after === undefined ? prefix : skipTo(prefix, after);
    while (start !== undefined && (limit === undefined || names.length < limit)) {
      let next: string | undefined;
      // Keys directly below come from one cursor; a sub-folder is stepped over by a new one.
      for (const key of db.getKeys({ start, end })) {
        const rest: string = key.slice(prefix.length);
        const slash = rest.indexOf('/');
        const name = slash === -1 ? rest : rest.slice(0, slash + 1);
        if (name !== '') names.push(name);
        if (limit !== undefined && names.length >= limit) break;
        if (slash !== -1) {
          next = skipTo(prefix, name);
          break;
        }
      }
      start = next;
    }
    return names;
  }
}

// The first key that can follow everything called name: '0' is the character after '/', U+0001 the smallest suffix we allow.
function skipTo(prefix: string, name: string): string {
  return name.endsWith('/') ? `${prefix}${name.slice(0, -1)}0` : `${prefix}${name}\u0001`;
}

type Environment = ReturnType<typeof open<Uint8Array, string>>;

const UNUSABLE = {
  hint: 'check that storage.lmdb.path is a folder that this user may write, and that no other engine uses it',
};

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new PhysicalError('the storage folder cannot be made', { cause, ...UNUSABLE });
  }
}

// LMDB itself lets several processes in. A name in the kernel's abstract namespace goes with the process that holds it.
function claim(path: string): Promise<Server> {
  const { dev, ino } = statSync(path);
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (cause) => {
      reject(new PhysicalError('the storage folder is in use by another process', { cause, ...UNUSABLE }));
    });
    server.listen(`\0sealedvault-${dev}-${ino}`, () => {
      server.unref();
      resolve(server);
    });
  });
}

// LMDB makes files that everybody may read, and the folder may be one that somebody else made.
function keepPrivate(path: string): void {
  for (const name of readdirSync(path).filter((each) => each.endsWith('.mdb'))) {
    const file = join(path, name);
    if (statSync(file).uid === process.getuid?.()) chmodSync(file, 0o600);
  }
}

function openEnvironment(path: string): Environment {
  try {
    const environment = open<Uint8Array, string>({
      path,
      // Otherwise a name with a dot in it, such as vault.d, is taken for a file.
      noSubdir: false,
      encoding: 'binary',
      overlappingSync: false,
      maxReaders: 126,
    });
    keepPrivate(path);
    return environment;
  } catch (cause) {
    throw new PhysicalError('the storage folder cannot be opened', { cause, ...UNUSABLE });
  }
}
