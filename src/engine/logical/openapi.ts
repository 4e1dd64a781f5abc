import type { JsonObject } from '../../lib/json.ts';
import type { Field, FieldTypes } from './fields.ts';
import type { Path, PathTable } from './logical.ts';
import { pageParameters } from './page.ts';
import type { Operation } from './request.ts';

/** One operation as it stands on the wire. */
export interface WireOperation {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  readonly operation: Operation;
  readonly summary: string;
}

const METHODS: Readonly<Partial<Record<Operation, WireOperation['method']>>> = {
  read: 'get',
  list: 'get',
  update: 'post',
  patch: 'patch',
  delete: 'delete',
};

const TYPES: Readonly<Record<keyof FieldTypes, JsonObject>> = {
  string: { type: 'string' },
  int: { type: 'integer' },
  bool: { type: 'boolean' },
  duration: { type: 'integer', format: 'seconds' },
  commaList: { type: 'array', items: { type: 'string' } },
  stringList: { type: 'array', items: { type: 'string' } },
  intList: { type: 'array', items: { type: 'integer' } },
  stringMap: { type: 'object', format: 'kvpairs' },
  object: { type: 'object', format: 'map' },
  any: {},
};

/** The pattern of a row as OpenAPI writes it: `roles/:name` is `roles/{name}`. */
export function wirePath(pattern: string): string {
  return pattern.replaceAll(/(?<=^|\/)[:*]([^/]+)/g, '{$1}');
}

export function wireOperations(path: Path): WireOperation[] {
  return (Object.entries(path.operations) as [Operation, string][]).flatMap(([operation, summary]) => {
    const method = METHODS[operation];
    return method === undefined ? [] : [{ method, operation, summary }];
  });
}

/**
 * The paths of a table in OpenAPI 3.0, by their place below the API's root.
 * @param prefix of the mount, such as `auth/token/`
 */
export function openApiPaths(prefix: string, table: PathTable): Record<string, JsonObject> {
  const paths: Record<string, JsonObject> = {};
  for (const row of table.rows) {
    const name = `/${prefix}${wirePath(row.pattern)}`;
    paths[name] = { ...paths[name], ...pathItem(row) };
  }
  return paths;
}

function pathItem(row: Path): JsonObject {
  const inPath = [...row.pattern.matchAll(/(?<=^|\/)[:*]([^/]+)/g)].map((match) => match[1] ?? '');
  const parameters = inPath.map((name) => ({
    name,
    in: 'path',
    required: true,
    description: row.fields[name]?.description ?? '',
    schema: schemaOf(row.fields[name]),
  }));
  const item: Record<string, JsonObject | JsonObject[] | string | boolean> = { description: row.synopsis };
  if (parameters.length > 0) item['parameters'] = parameters;
  if (row.access === 'sudo') item['x-vault-sudo'] = true;
  if (row.access === 'unauthenticated') item['x-vault-unauthenticated'] = true;
  if (row.checksExistence) item['x-vault-createSupported'] = true;
  const body = Object.entries(row.fields).filter(([name]) => !inPath.includes(name));
  for (const { method, operation, summary } of wireOperations(row)) {
    const onlyList = operation === 'list' && row.operations.read === undefined;
    if (operation === 'list' && !onlyList) continue;
    const query = [
      ...(operation === 'list' || (operation === 'read' && row.operations.list !== undefined)
        ? [listParameter(onlyList), ...pageOf(row)]
        : []),
      ...(method === 'get' || method === 'delete'
        ? body
            .filter(([, field]) => field.query === true)
            .map(([name, field]) => ({
              name,
              in: 'query',
              description: field.description,
              schema: schemaOf(field),
            }))
        : []),
    ];
    item[method] = {
      summary,
      ...(query.length === 0 ? {} : { parameters: query }),
      ...((method === 'post' || method === 'patch') && body.length > 0 ? { requestBody: bodyOf(body) } : {}),
      responses:
        method === 'delete' ? { 204: { description: 'empty body' } } : { 200: { description: 'OK' } },
    };
  }
  return item;
}

function listParameter(required: boolean): JsonObject {
  return {
    name: 'list',
    in: 'query',
    description: 'Must be set to `true` to list.',
    ...(required ? { required } : {}),
    schema: { type: 'string', ...(required ? { enum: ['true'] } : {}) },
  };
}

function pageOf({ fields }: Path): JsonObject[] {
  return Object.entries(pageParameters)
    .filter(([name]) => fields[name]?.query !== true)
    .map(([name, description]) => ({
      name,
      in: 'query',
      description,
      schema: { type: name === 'limit' ? 'integer' : 'string' },
    }));
}

function bodyOf(fields: readonly (readonly [string, Field])[]): JsonObject {
  const required = fields.filter(([, field]) => field.required === true).map(([name]) => name);
  const properties = Object.fromEntries(
    fields.map(([name, field]) => [name, { ...schemaOf(field), description: field.description }]),
  );
  return {
    content: {
      'application/json': {
        schema: { type: 'object', properties, ...(required.length === 0 ? {} : { required }) },
      },
    },
  };
}

function schemaOf(field: Field | undefined): JsonObject {
  if (field === undefined) return { type: 'string' };
  return {
    ...TYPES[field.type],
    ...(field.default === undefined ? {} : { default: field.default as JsonObject }),
    ...(field.deprecated === true ? { deprecated: true } : {}),
  };
}
