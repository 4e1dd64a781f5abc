import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { buildDefinition, structuralSchema } from '../../../../src/operator/crd.ts';
import { kinds } from '../../../../src/operator/kinds.ts';
import { recoveryCeremonySpec } from '../../../../src/operator/recoveryceremony/schema.ts';

const root = join(import.meta.dirname, '..', '..', '..', '..');
const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
}

/** Every field of a schema, however deep. */
function* walk(node: Schema, path: string): Generator<{ readonly path: string; readonly node: Schema }> {
  for (const [name, field] of Object.entries(node.properties ?? {})) {
    yield { path: `${path}.${name}`, node: field };
    yield* walk(field, `${path}.${name}`);
  }
  if (node.items !== undefined) yield* walk(node.items, `${path}[]`);
  if (node.additionalProperties !== undefined) yield* walk(node.additionalProperties, `${path}{}`);
}

/** Names and categories of Kubernetes' own, as far as ours could collide with them. */
const KUBERNETES =
  'all api-extensions cm configmaps crd crds cs csr deploy ds ep events ev hpa ing jobs leases limits netpol no node nodes ns pc pdb po pod pods pv pvc quota rc roles rs sa sc secret secrets services sts svc'.split(
    ' ',
  );

describe.each([...kinds])('$type.kind', (kind) => {
  const text = read('crds', `sealedvault.io_${kind.type.plural}.yaml`);

  test('is on disk as its schema says', () => {
    expect(parse(text)).toEqual(JSON.parse(JSON.stringify(buildDefinition(kind))));
  });

  test('has a description of every field, for kubectl explain', () => {
    const { spec } = parse(text) as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };
    const fields = spec.versions.flatMap(({ schema }) => [...walk(schema.openAPIV3Schema, '')]);
    expect(fields.length).toBeGreaterThan(10);
    expect(
      fields
        .filter(({ node, path }) => path !== '.metadata' && (node.description ?? '').length < 4)
        .map(({ path }) => path),
    ).toEqual([]);
  });

  test('is small enough for kubectl apply', () => {
    expect(Buffer.byteLength(text)).toBeLessThan(100_000);
  });
});

describe('names', () => {
  const own = kinds.flatMap(({ type, singular, shortNames }) => [
    type.kind.toLowerCase(),
    type.plural,
    singular,
    ...shortNames,
  ]);

  test('no category is the name of a kind, which kubectl would take for a list of types', () => {
    const categories = kinds.map((kind) => categoriesOf(kind)).flat();
    expect(categories.length).toBeGreaterThan(0);
    expect(categories.filter((category) => [...own, ...KUBERNETES].includes(category))).toEqual([]);
  });

  test('no two kinds share a name, nor has one a name that Kubernetes uses', () => {
    const distinct = kinds.flatMap(({ type, shortNames }) => [...shortNames, type.plural]);
    expect(distinct.filter((name, at) => distinct.indexOf(name) !== at || KUBERNETES.includes(name))).toEqual(
      [],
    );
  });
});

function categoriesOf(kind: (typeof kinds)[number]): readonly string[] {
  const { spec } = buildDefinition(kind) as { spec: { names?: { categories?: string[] } } };
  return spec.names?.categories ?? [];
}

describe('samples', () => {
  const folder = join(root, 'deploy', 'samples');
  const objectsOf = (files: readonly string[]): Sample[] =>
    files
      .filter((file) => file.endsWith('.yaml'))
      .flatMap((file) =>
        parseAllDocuments(read('deploy', 'samples', file)).map((each) => each.toJS() as Sample),
      );
  const every = objectsOf(readdirSync(folder, { recursive: true, encoding: 'utf8' }));

  test.each([...kinds])('$type.kind has one, which its schema accepts', (kind) => {
    const own = every.filter((sample) => sample.kind === kind.type.kind);
    expect(own).not.toEqual([]);
    for (const { spec, metadata } of own)
      expect(kind.spec.safeParse(spec), metadata.name).toMatchObject({ success: true });
  });

  test('each type of ceremony has one', () => {
    const { properties } = structuralSchema(recoveryCeremonySpec) as {
      properties: { type: { enum: string[] } };
    };
    const types = every.filter(({ kind }) => kind === 'RecoveryCeremony').map(({ spec }) => spec['type']);
    expect(new Set(types)).toEqual(new Set(properties.type.enum));
  });

  test('applying a folder starts one ceremony at most', () => {
    const folders = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) =>
      each.isDirectory(),
    );
    for (const name of ['', ...folders.map((each) => each.name)]) {
      const files = readdirSync(join(folder, name)).map((file) => join(name, file));
      const ceremonies = objectsOf(files).filter(({ kind }) => kind === 'RecoveryCeremony');
      expect(ceremonies.length, name).toBeLessThanOrEqual(1);
    }
  });
});

interface Sample {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

describe('what cannot be structural', () => {
  test.each([
    ['a union', z.object({ a: z.union([z.string(), z.int()]) })],
    ['a discriminated union', z.object({ a: z.discriminatedUnion('k', [z.object({ k: z.literal('x') })]) })],
    ['a value of any type', z.object({ a: z.any() })],
  ])('%s is refused with its path', (_name, schema) => {
    expect(() => structuralSchema(schema)).toThrow(/schema\.a/);
  });

  test('closed objects and unknown formats are told in the API server’s words', () => {
    const schema = structuralSchema(z.object({ a: z.strictObject({ b: z.url() }) }));
    expect(schema).toEqual({
      type: 'object',
      properties: { a: { type: 'object', properties: { b: { type: 'string' } }, required: ['b'] } },
      required: ['a'],
    });
  });
});
