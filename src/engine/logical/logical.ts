import { FieldRefusal, type Fields, type FieldValues, readFields } from './fields.ts';
import type { HeldLease, SecretRenewal } from './lease.ts';
import type { Renewal } from './login.ts';
import { isName, type NameKind } from './names.ts';
import { takePage } from './page.ts';
import type { LogicalRequest, Operation, TokenEntry } from './request.ts';
import { badRequest, type Response } from './response.ts';

/**
 * The contract of secrets engines and auth methods: a table of paths. One row drives routing, validation, access,
 * help and OpenAPI; there is no endpoint outside a table.
 *
 * I1  A backend sees its own storage view, its own requests, and nothing else of the engine.
 * I2  What a client did wrong is a returned refusal; a throw is a defect or a failing medium.
 * I3  Construction is initialization: no half-built backend exists.
 */
export interface Backend {
  readonly type: string;
  readonly paths: PathTable;
  /** Auth methods: judges a renewal of a token that a login here gave. @param request that asks for it */
  renewLogin?(entry: TokenEntry, request?: LogicalRequest): Promise<Renewal>;
  /** Engines with leases: extends a secret, or says why not. A throw fails the renewal and changes nothing. */
  renewSecret?(lease: HeldLease): Promise<SecretRenewal>;
  /** Engines with leases: takes a secret back; also one that is gone already. A throw is tried again later. */
  revokeSecret?(lease: HeldLease): Promise<void>;
  /** Work that time brings. Called about once a second while the vault is open, never twice at once. */
  tick?(): Promise<void>;
  /** Ends connections. Called when the mount goes, is made anew, or the vault is sealed. */
  close?(): Promise<void>;
}

/**
 * Who may call: everyone (no token needed); a token with the capability; one with sudo as well; or, for operations
 * of a quorum of share holders and for metrics, a token unless the listener opens that family to everyone.
 */
export type Access = 'unauthenticated' | 'token' | 'sudo' | 'rekey' | 'generate-root' | 'metrics';

/** One row. Patterns are segments: a literal, `:name` for one segment that holds a name, `*name` for the rest (also empty) but literals after it. */
export interface PathRow<F extends Fields> {
  readonly pattern: string;
  readonly synopsis: string;
  readonly description?: string;
  readonly fields: F;
  /** What segments of one name hold, where it is not a generic name; elsewhere the path does not exist. */
  readonly names?: Readonly<Record<string, NameKind>>;
  /** Who may call; a token with the capability unless another is named. */
  readonly access?: Access;
  /** On a login: the name by which failures are counted. */
  readonly loginName?: (fields: FieldValues<F>) => string | undefined;
  /** When given, a write to what does not exist yet needs `create`, otherwise `update`. */
  readonly exists?: (request: LogicalRequest, fields: FieldValues<F>) => Promise<boolean>;
  readonly operations: Partial<Record<Exclude<Operation, 'create'>, PathOperation<F>>>;
}

export interface PathOperation<F extends Fields> {
  readonly summary: string;
  readonly handler: (request: LogicalRequest, fields: FieldValues<F>) => Promise<Response> | Response;
}

/** A row with its field types closed over. */
export interface Path {
  readonly pattern: string;
  readonly synopsis: string;
  readonly description: string;
  readonly fields: Fields;
  readonly names: Readonly<Record<string, NameKind>>;
  readonly access: Access;
  readonly operations: Readonly<Partial<Record<Operation, string>>>;
  readonly checksExistence: boolean;
  /** Undefined where nobody logs in. */
  readonly loginName: ((request: LogicalRequest, values: PathValues) => string | undefined) | undefined;
  exists(request: LogicalRequest, values: PathValues): Promise<boolean>;
  handle(request: LogicalRequest, values: PathValues): Promise<Response> | Response;
}

export type PathValues = Readonly<Record<string, string>>;

/** Closes a row over its field types. */
export function path<const F extends Fields>(row: PathRow<F>): Path {
  const summaries: Partial<Record<Operation, string>> = {};
  for (const [operation, { summary }] of Object.entries(row.operations))
    summaries[operation as Operation] = summary;
  return {
    pattern: row.pattern,
    synopsis: row.synopsis,
    description: row.description ?? '',
    fields: row.fields,
    names: row.names ?? {},
    access: row.access ?? 'token',
    operations: summaries,
    checksExistence: row.exists !== undefined,
    loginName:
      row.loginName === undefined
        ? undefined
        : (request, values) => {
            const fields = readFields(row.fields, request.body, request.query, values);
            return fields instanceof FieldRefusal ? undefined : row.loginName?.(fields);
          },
    exists: async (request, values) => {
      if (row.exists === undefined) return true;
      const fields = readFields(row.fields, request.body, request.query, values);
      return fields instanceof FieldRefusal || row.exists(request, fields);
    },
    handle: (request, values) => {
      const operation = row.operations[request.operation === 'create' ? 'update' : request.operation];
      if (operation === undefined) return unsupportedOperation;
      const fields = readFields(row.fields, request.body, request.query, values);
      if (fields instanceof FieldRefusal) return badRequest(fields.message);
      for (const name in row.fields) {
        if (row.fields[name]?.required === true && fields[name] === undefined)
          return badRequest(`missing ${name}`);
      }
      return request.operation === 'list'
        ? Promise.resolve(operation.handler(request, fields)).then((all) => takePage(all, request.query))
        : operation.handler(request, fields);
    },
  };
}

export const unsupportedOperation: Response = {
  kind: 'refusal',
  status: 405,
  errors: ['1 error occurred:\n\t* unsupported operation\n\n'],
};

export const unsupportedPath: Response = {
  kind: 'refusal',
  status: 404,
  errors: ['1 error occurred:\n\t* unsupported path\n\n'],
};

interface CompiledPath {
  readonly path: Path;
  readonly match: (relative: string) => PathValues | undefined;
}

// Who may call stays; nothing is there.
function unsupported(row: Path): Path {
  const { read = '', list = '', update = '', patch = '', delete: remove = '' } = row.operations;
  return {
    ...row,
    operations: { read, list, update, patch, delete: remove },
    checksExistence: false,
    loginName: undefined,
    handle: () => unsupportedPath,
  };
}

/** Finds the row for a path below the mount; earlier rows win, and those whose names fit before all others. */
export class PathTable {
  readonly rows: readonly Path[];
  readonly #byHead = new Map<string, CompiledPath[]>();
  readonly #any: CompiledPath[] = [];

  constructor(rows: readonly Path[]) {
    this.rows = rows;
    for (const row of rows) {
      const compiled = { path: row, match: compile(row.pattern) };
      const head = row.pattern.split('/')[0] ?? '';
      if (/^[:*]/.test(head)) this.#any.push(compiled);
      else this.#byHead.set(head, [...(this.#byHead.get(head) ?? []), compiled]);
    }
  }

  find(relative: string): { readonly path: Path; readonly values: PathValues } | undefined {
    const slash = relative.indexOf('/');
    const candidates = this.#byHead.get(slash === -1 ? relative : relative.slice(0, slash)) ?? [];
    let misnamed: Path | undefined;
    for (const rows of [candidates, this.#any]) {
      for (const { path: row, match } of rows) {
        const values = match(relative);
        if (values === undefined) continue;
        if (fits(row, values)) return { path: row, values };
        misnamed ??= row;
      }
    }
    return misnamed === undefined ? undefined : { path: unsupported(misnamed), values: {} };
  }
}

function fits({ pattern, names }: Path, values: PathValues): boolean {
  for (const name in values)
    if (!pattern.includes(`*${name}`) && !isName(names[name] ?? 'generic', values[name] ?? '')) return false;
  return true;
}

function compile(pattern: string): (relative: string) => PathValues | undefined {
  const segments = pattern.split('/');
  if (segments.every((segment) => !/^[:*]/.test(segment))) {
    const none = {};
    return (relative) => (relative === pattern || relative === `${pattern}/` ? none : undefined);
  }
  const star = segments.findIndex((segment) => segment.startsWith('*'));
  const rest = segments[star]?.slice(1);
  const fixed = rest === undefined ? segments : segments.slice(0, star);
  const tail =
    rest === undefined
      ? ''
      : segments
          .slice(star + 1)
          .map((segment) => `/${segment}`)
          .join('');
  return (whole) => {
    if (!whole.endsWith(tail)) return undefined;
    const relative = tail === '' ? whole : whole.slice(0, -tail.length);
    const values: Record<string, string> = {};
    let offset = 0;
    for (const [index, segment] of fixed.entries()) {
      if (offset > relative.length) return undefined;
      const slash = relative.indexOf('/', offset);
      const end = slash === -1 ? relative.length : slash;
      const given = relative.slice(offset, end);
      if (segment.startsWith(':')) {
        if (given === '') return undefined;
        values[segment.slice(1)] = given;
      } else if (segment !== given) return undefined;
      offset = end + 1;
      if (index === fixed.length - 1 && rest === undefined)
        return offset >= relative.length ? values : undefined;
    }
    if (rest !== undefined) values[rest] = relative.slice(offset);
    return values;
  };
}
