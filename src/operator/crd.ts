import { z } from 'zod';
import type { ResourceType } from './runtime/runtime.ts';

/**
 * Custom resource definitions from zod schemas: the schema that validates in the operator is the one that the API
 * server enforces.
 *
 * I1  What comes out is structural: a choice is a set of optional siblings and a CEL rule, never a union.
 * I2  What a schema of Kubernetes cannot say is refused here with its path, not dropped in silence.
 * I3  The same schema always gives the same bytes.
 */
export interface KindDefinition {
  readonly type: ResourceType;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly description: string;
  readonly spec: z.ZodType;
  readonly status: z.ZodType;
  /** CEL rules on the whole object, which see `self.metadata.name`. */
  readonly rules: readonly CelRule[];
  readonly columns: readonly PrinterColumn[];
  readonly scale?: object;
}

/** A rule of the API server's expression language, with a sentence for whoever broke it. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath?: string;
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly jsonPath: string;
  readonly description?: string;
  /** 1: only in `kubectl get -o wide`. */
  readonly priority?: 0 | 1;
}

interface Definition {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string };
  readonly spec: object;
}

const GROUP = 'sealedvault.io';
// `kubectl get sealedvault-all` lists every kind. With the name of a kind, kubectl could not tell `TYPE NAME` from a list of types.
const CATEGORY = 'sealedvault-all';

/** @returns metadata for zod's `.meta()` that carries CEL rules to the API server. */
export function cel(...rules: readonly CelRule[]): { 'x-kubernetes-validations': CelRule[] } {
  return { 'x-kubernetes-validations': [...rules] };
}

/** @returns metadata that makes a list a map by one of its members, for server-side apply. */
export function listMap(key: string): Record<string, unknown> {
  return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] };
}

/** A quantity of Kubernetes: a number, or a text such as `500m`, `1e9`, `1.5Gi`. */
export const quantity: z.ZodType<string | number> = z
  .union([
    z.int().min(0),
    z
      .string()
      .max(32)
      .regex(/^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$/),
  ])
  .meta({ 'x-kubernetes-int-or-string': true });

/** Builds the definition of a kind. @throws TypeError when its schema cannot be a structural one */
export function buildDefinition(kind: KindDefinition): Definition {
  const { plural, kind: name, apiVersion } = kind.type;
  const columns = kind.columns.map(({ priority = 0, ...column }) =>
    priority === 0 ? column : { ...column, priority },
  );
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: name,
        listKind: `${name}List`,
        plural,
        singular: kind.singular,
        shortNames: [...kind.shortNames],
        categories: [CATEGORY],
      },
      scope: 'Namespaced',
      versions: [
        {
          name: apiVersion.slice(GROUP.length + 1),
          served: true,
          storage: true,
          additionalPrinterColumns: columns,
          subresources: { status: {}, ...(kind.scale === undefined ? {} : { scale: kind.scale }) },
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description: kind.description,
              required: ['spec'],
              ...(kind.rules.length === 0 ? {} : cel(...kind.rules)),
              properties: {
                apiVersion: { type: 'string', description: 'Version of the schema of this object.' },
                kind: { type: 'string', description: 'Type of this object.' },
                // The API server describes it itself, and forbids that anybody else does.
                metadata: { type: 'object' },
                spec: { description: 'What is wanted.', ...structuralSchema(kind.spec) },
                status: { description: 'What the operator found.', ...structuralSchema(kind.status) },
              },
            },
          },
        },
      ],
    },
  };
}

/** A zod schema as the API server takes it. @throws TypeError naming the path of what it cannot take */
export function structuralSchema(schema: z.ZodType): object {
  return tidy(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }), 'schema');
}

const REFUSED = ['oneOf', 'anyOf', 'allOf', 'not', '$ref', '$defs', 'definitions', 'patternProperties'];
// The formats that the API server knows and that zod writes; it ignores others with a warning.
const FORMATS = new Set(['date-time', 'int32', 'int64']);

function tidy(node: unknown, path: string): object {
  if (typeof node !== 'object' || node === null || Array.isArray(node))
    throw new TypeError(`${path} is not a schema`);
  const source = intOrString(node as Readonly<Record<string, unknown>>);
  const refused = REFUSED.find((key) => key in source);
  if (refused !== undefined) throw new TypeError(`${path} has ${refused}: write siblings and a CEL rule`);
  const preserved = source['x-kubernetes-preserve-unknown-fields'] === true;
  if (typeof source['type'] !== 'string' && !preserved && source['x-kubernetes-int-or-string'] !== true)
    throw new TypeError(`${path} has no type`);
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(source)) {
    if (key === '$schema') continue;
    if (key === 'properties') result[key] = tidyMembers(value, path);
    else if (key === 'items') result[key] = tidy(value, `${path}[]`);
    else if (key === 'additionalProperties') {
      // The API server forbids it beside properties, and prunes unknown members anyway.
      if (!('properties' in source) && typeof value === 'object') result[key] = tidy(value, `${path}{}`);
    } else if (key === 'format') {
      if (FORMATS.has(String(value))) result[key] = value;
    } else if (key === 'pattern') {
      // Zod's pattern of a date-time is 400 characters that say what the format says.
      if (source['format'] !== 'date-time') result[key] = value;
    } else if (key === 'exclusiveMinimum' && typeof value === 'number') {
      throw new TypeError(`${path} has a numeric ${key}`);
    } else if (!(key === 'properties' || isUnsafeBound(key, value))) result[key] = value;
  }
  return result;
}

/** The bounds of both types on the one schema: each says nothing to values of the other type. */
function intOrString(source: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { anyOf, ...rest } = source;
  if (source['x-kubernetes-int-or-string'] !== true || !Array.isArray(anyOf)) return source;
  const bounds = anyOf.map((each: Readonly<Record<string, unknown>>) => {
    const { type: _type, ...others } = each;
    return others;
  });
  return Object.assign({}, ...bounds, rest);
}

/** Zod bounds every integer by what a double holds exactly; that says nothing to a reader. */
function isUnsafeBound(key: string, value: unknown): boolean {
  return (
    (key === 'minimum' && value === Number.MIN_SAFE_INTEGER) ||
    (key === 'maximum' && value === Number.MAX_SAFE_INTEGER)
  );
}

function tidyMembers(value: unknown, path: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value as object).map(([name, member]) => [name, tidy(member, `${path}.${name}`)]),
  );
}
