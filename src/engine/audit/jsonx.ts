import { isJsonObject, type Json, parseJson } from '../../lib/json.ts';

const NAMESPACES =
  'xsi:schemaLocation="http://www.datapower.com/schemas/json jsonx.xsd" ' +
  'xmlns:json="http://www.ibm.com/xmlns/prod/2009/jsonx" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';

/** A JSON text as JSONx, the XML form that audit devices offer. */
export function jsonx(text: string): string {
  return element(parseJson(text), ` ${NAMESPACES}`);
}

function element(value: Json, attributes: string): string {
  if (value === null) return `<json:null${attributes} />`;
  if (typeof value === 'string') return `<json:string${attributes}>${escape(value)}</json:string>`;
  if (typeof value === 'boolean') return `<json:boolean${attributes}>${value}</json:boolean>`;
  if (Array.isArray(value))
    return `<json:array${attributes}>${value.map((item) => element(item, '')).join('')}</json:array>`;
  if (!isJsonObject(value)) {
    const number = JSON.isRawJSON(value) ? value.rawJSON : String(value);
    return `<json:number${attributes}>${number}</json:number>`;
  }
  const members = Object.keys(value)
    .toSorted()
    .map((key) => element(value[key] ?? null, ` name="${escape(key)}"`));
  return `<json:object${attributes}>${members.join('')}</json:object>`;
}

// Control characters cannot stand in XML 1.0 at all.
function escape(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&#34;',
    "'": '&#39;',
  };
  return text
    .replaceAll(/[^\P{Cc}\t\n\r]|[\uFFFE\uFFFF]/gu, '\uFFFD')
    .replaceAll(/[&<>"']/g, (character) => entities[character] ?? character)
    .replaceAll('\t', '&#x9;')
    .replaceAll('\n', '&#xA;')
    .replaceAll('\r', '&#xD;');
}
