import type { Method } from './world.ts';

/** One call of a race; `{}` in its path is the name of the record. */
export interface Step {
  readonly method: Method;
  readonly path: string;
  readonly body?: object;
  /** The member of the answer that later paths call by this name in braces. */
  readonly as?: string;
}

/** A record that clients write: how it comes to be, and what may happen to it at the same time. */
export interface Record {
  readonly name: string;
  /** Before each race; the record and what it needs. */
  readonly made: readonly Step[];
  /** Each is run beside each other, and beside itself. */
  readonly changes: readonly Step[];
  /** How it is looked at afterwards. */
  readonly looks: readonly Step[];
}

export const get = (path: string): Step => ({ method: 'GET', path });
export const post = (path: string, body: object = {}): Step => ({ method: 'POST', path, body });
export const patch = (path: string, body: object): Step => ({ method: 'PATCH', path, body });
export const del = (path: string): Step => ({ method: 'DELETE', path });

/** A record at one path: made by a write, changed by two others that say different things, and removed. */
export function plain(path: string, made: object, one: object, other: object): Record {
  return {
    name: path,
    made: [post(path, made)],
    changes: [post(path, one), post(path, other), del(path)],
    looks: [get(path)],
  };
}

/** A record that is always there and cannot be removed. */
export function lasting(path: string, made: object, one: object, other: object): Record {
  return {
    name: path,
    made: [post(path, made)],
    changes: [post(path, one), post(path, other)],
    looks: [get(path)],
  };
}
