import { parseJsonForm } from './json.ts';
import { parseNative } from './native.ts';
import type { HclBody, HclItem, HclValue } from './tree.ts';

/**
 * HashiCorp's configuration language, version 1, as Vault's configuration files and policies use it,
 * in its native and its JSON form.
 *
 * I1  Both forms of a file give the same tree: JSON objects whose members are all objects become labels,
 *     and JSON lists of objects become repeated blocks, as HCL 1 does.
 * I2  Whatever the text, parsing ends in linear time with a tree or an HclSyntaxError (`ERR_HCL_SYNTAX`).
 * I3  An error names a line and a column and what was expected; it never repeats the text of the file,
 *     which may hold a credential.
 * I4  No key of a file becomes a property of an object: `__proto__` is a key like any other.
 * I5  A number keeps its text: slot numbers do not fit into a double.
 *
 * Not supported, as in HCL 1: expressions and functions. `${…}` in a string is kept as it stands.
 */

/**
 * @param text a whole file; a leading byte order mark is skipped
 * @throws ERR_HCL_SYNTAX
 */
export function parseHcl(text: string): HclBody {
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  return /^\s*\{/.test(source.slice(0, 65_536)) ? parseJsonForm(source) : parseNative(source);
}

/** The value of `name = …`; of several the last one counts. */
export function attribute(body: HclBody, name: string): HclItem | undefined {
  return body.items.findLast((item) => item.keys.length === 1 && item.keys[0] === name);
}

export interface HclBlock {
  readonly labels: readonly string[];
  readonly body: HclBody;
  readonly line: number;
}

/** Every `name "label" … { … }`, in the order of the file. `name = { … }` counts as one. */
export function blocks(body: HclBody, name: string): HclBlock[] {
  const found: HclBlock[] = [];
  for (const { keys, value, line } of body.items) {
    if (keys[0] !== name) continue;
    for (const object of objectsOf(value)) found.push({ labels: keys.slice(1), body: object, line });
  }
  return found;
}

/** A labelled block as the member of one without labels: `name "a" { … }` is `name { a = { … } }`, as JSON has it. */
export function labelled(labels: readonly string[], body: HclBody): HclItem {
  return { keys: labels, value: { kind: 'object', body }, line: 0 };
}

function objectsOf(value: HclValue): HclBody[] {
  if (value.kind === 'object') return [value.body];
  return value.kind === 'list' ? value.items.flatMap(objectsOf) : [];
}

/** The first keys of all items, once each, in the order of the file: to warn of unknown ones by name. */
export function names(body: HclBody): string[] {
  return [...new Set(body.items.map((item) => item.keys[0] ?? ''))];
}

/** A string, number or bool as text, as Vault's weak decoding reads it; undefined for anything else. */
export function scalarText(value: HclValue): string | undefined {
  switch (value.kind) {
    case 'string':
    case 'number':
      return value.text;
    case 'bool':
      return String(value.value);
    case 'null':
    case 'list':
    case 'object':
      return undefined;
  }
}

/** A list of scalars as texts; a single scalar counts as a list of one; undefined when an element is not a scalar. */
export function textList(value: HclValue): string[] | undefined {
  const texts: string[] = [];
  for (const item of value.kind === 'list' ? value.items : [value]) {
    const text = scalarText(item);
    if (text === undefined) return undefined;
    texts.push(text);
  }
  return texts;
}
