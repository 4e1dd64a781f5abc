import { KeyedMutex } from '../../lib/keyed-mutex.ts';
import type { JsonObject } from '../../lib/json.ts';
import { FieldRefusal, type Fields, type FieldValues, readFields } from './fields.ts';
import { given, judgedParameters } from './parameters.ts';
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
 * I4  Writes of one record follow each other: what a handler has read of the record it names is still so when it writes.
 * I5  One object is made of what the client sent: policies judge it, and the handler gets it.
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
  /**
   * The record that a write here changes, as a pattern: `users/:name` also for `users/:name/password`. False where
   * writes change no record of their own. Without it, a row that can be deleted, patched, or both read and written is
   * a record up to its first variable, or as a whole.
   */
  readonly record?: string | false;
  /** The body is data with names of the client's choice. */
  readonly arbitrary?: true;
  /** Names of fields match without regard to case, as where Vault decodes the body by itself. */
  readonly anyCase?: true;
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
  /** Whether somebody logs in here. */
  readonly isLogin: boolean;
  /** The pattern of the record that writes here change; undefined for none. */
  readonly record: string | undefined;
  /** Names of fields that policies judge in lower case. */
  readonly folded: ReadonlySet<string>;
  call(request: LogicalRequest, values: PathValues): Call;
  /** Calls and handles at once: for requests that no policy judges. */
  handle(request: LogicalRequest, values: PathValues): Promise<Response> | Response;
}

/** One request to one row: its fields are read once. */
export interface Call {
  /** On a login: the name by which failures are counted. */
  readonly loginName: string | undefined;
  /** The record that a write changes, by name; undefined for none. */
  readonly record: string | undefined;
  /** What rules on parameters judge: the fields as the handler gets them, and everything else as it was sent. */
  parameters(): JsonObject;
  exists(request: LogicalRequest): Promise<boolean>;
  handle(request: LogicalRequest): Promise<Response> | Response;
}

export type PathValues = Readonly<Record<string, string>>;

/** Closes a row over its field types. */
export function path<const F extends Fields>(row: PathRow<F>): Path {
  const summaries: Partial<Record<Operation, string>> = {};
  for (const [operation, { summary }] of Object.entries(row.operations))
    summaries[operation as Operation] = summary;
  const record = recordPattern(row);
  const arbitrary = row.arbitrary === true;
  const anyCase = row.anyCase === true;
  const call = (request: LogicalRequest, values: PathValues): Call => {
    const { data, ignored, replaced } = given(row.fields, request, values, { arbitrary, anyCase });
    const fields = readFields(row.fields, data, values, anyCase);
    return {
      loginName: fields instanceof FieldRefusal ? undefined : row.loginName?.(fields),
      record: record === undefined ? undefined : fill(record, values),
      parameters: () => judgedParameters(row.fields, data, values, anyCase),
      exists: async (current) =>
        row.exists === undefined || fields instanceof FieldRefusal || row.exists(current, fields),
      handle: (current) => {
        const operation = row.operations[current.operation === 'create' ? 'update' : current.operation];
        if (operation === undefined) return unsupportedOperation;
        if (fields instanceof FieldRefusal) return badRequest(fields.message);
        for (const name in row.fields) {
          if (row.fields[name]?.required === true && fields[name] === undefined)
            return badRequest(`missing ${name}`);
        }
        const handled = operation.handler(current, fields);
        const response =
          current.operation === 'list'
            ? Promise.resolve(handled).then((all) => takePage(all, current.query))
            : handled;
        return ignored.length === 0 && replaced.length === 0 ? response : advise(response, ignored, replaced);
      },
    };
  };
  return {
    pattern: row.pattern,
    synopsis: row.synopsis,
    description: row.description ?? '',
    fields: row.fields,
    names: row.names ?? {},
    access: row.access ?? 'token',
    operations: summaries,
    checksExistence: row.exists !== undefined,
    isLogin: row.loginName !== undefined,
    record,
    folded: new Set(
      Object.keys(row.fields).filter(
        (name) => row.fields[name]?.fold === true || row.fields[name]?.caseless === true,
      ),
    ),
    call,
    handle: (request, values) => call(request, values).handle(request),
  };
}

function recordPattern<F extends Fields>({ record, operations, pattern }: PathRow<F>): string | undefined {
  if (record !== undefined) return record === false ? undefined : record;
  const changes =
    operations.delete !== undefined ||
    operations.patch !== undefined ||
    (operations.read !== undefined && operations.update !== undefined);
  if (!changes) return undefined;
  const segments = pattern.split('/');
  const variable = segments.findIndex((segment) => /^[:*]/.test(segment));
  return variable === -1 ? pattern : segments.slice(0, variable + 1).join('/');
}

// In lower case, since some methods keep names so: that two names share a turn does no harm.
function fill(pattern: string, values: PathValues): string {
  if (!/[:*]/.test(pattern)) return pattern;
  const segments = pattern
    .split('/')
    .map((segment) => (/^[:*]/.test(segment) ? (values[segment.slice(1)] ?? '') : segment));
  return segments.join('/').toLowerCase();
}

/** Texts of Vault's framework. An answer without a body has no place for them. */
async function advise(
  answer: Promise<Response> | Response,
  ignored: readonly string[],
  replaced: readonly string[],
): Promise<Response> {
  const response = await answer;
  if (!('warnings' in response) && !['data', 'auth', 'login', 'secret'].includes(response.kind))
    return response;
  const warnings = [...(('warnings' in response ? response.warnings : undefined) ?? [])];
  if (ignored.length > 0)
    warnings.push(`Endpoint ignored these unrecognized parameters: [${ignored.join(' ')}]`);
  if (replaced.length > 0)
    warnings.push(
      `Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [${replaced.join(' ')}]`,
    );
  return { ...response, warnings } as Response;
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
    isLogin: false,
    record: undefined,
    call: ({ body }) => ({
      loginName: undefined,
      record: undefined,
      parameters: () => body,
      exists: () => Promise.resolve(true),
      handle: () => unsupportedPath,
    }),
    handle: () => unsupportedPath,
  };
}

/** Finds the row for a path below the mount; earlier rows win, and those whose names fit before all others. */
export class PathTable {
  readonly rows: readonly Path[];
  readonly #byHead = new Map<string, CompiledPath[]>();
  readonly #any: CompiledPath[] = [];
  readonly #turns = new KeyedMutex();

  constructor(rows: readonly Path[]) {
    this.rows = rows;
    for (const row of rows) {
      const compiled = { path: row, match: compile(row.pattern) };
      const head = row.pattern.split('/')[0] ?? '';
      if (/^[:*]/.test(head)) this.#any.push(compiled);
      else this.#byHead.set(head, [...(this.#byHead.get(head) ?? []), compiled]);
    }
  }

  /** Runs a write of a record when all earlier ones of it have ended. */
  inTurn<T>(record: string, work: () => Promise<T>): Promise<T> {
    return this.#turns.run(record, work);
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
