import { blocks, labelled, textList } from '../lib/hcl/hcl.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import { ConfigInvalid } from './config-values.ts';

/** Headers by `default`, a status such as `404`, or a class of them such as `4xx`. */
export type ResponseHeaders = Readonly<Record<string, Readonly<Record<string, string>>>>;

const STATUS = /^(?:default|[1-5]xx|[1-5]\d\d)$/;
// RFC 9110 §5.1.
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What says where an answer ends: never an operator's to set. */
const FRAMING = [
  'cache-control',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'date',
  'transfer-encoding',
];
const HSTS = 'max-age=31536000; includeSubDomains';

/**
 * Reads `custom_response_headers` of a listener (Vault: TCP listener). Strict-Transport-Security is sent by default.
 * @throws ERR_CONFIG_INVALID
 */
export function parseResponseHeaders(listener: HclBody): ResponseHeaders {
  const found: Record<string, Record<string, string>> = { default: { 'strict-transport-security': HSTS } };
  for (const { labels, body } of blocks(listener, 'custom_response_headers')) {
    const items = labels.length === 0 ? body.items : [labelled(labels, body)];
    for (const item of items) {
      const [status = ''] = item.keys;
      if (!STATUS.test(status))
        throw new ConfigInvalid('custom_response_headers names a status that there is not', {
          hint: 'use default, a status such as "404", or a class such as "4xx"',
        });
      const [headers, another] = blocks({ items: [item] }, status);
      if (headers === undefined || another !== undefined || headers.labels.length > 0) throw notAMap();
      found[status] = { ...found[status], ...headersOf(headers.body) };
    }
  }
  return found;
}

function headersOf(body: HclBody): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { keys, value } of body.items) {
    const name = checkedName(keys[0] ?? '');
    const values = value.kind === 'list' ? textList(value) : undefined;
    if (values === undefined) throw notAMap();
    if (values.some((each) => /[^\t\x20-\x7e\x80-\xff]/.test(each)))
      throw new ConfigInvalid(
        `the value of the response header ${name} has characters that no header can hold`,
      );
    found[name] = values.flatMap((each) => each.trim() || []).join('; ');
  }
  return found;
}

function checkedName(name: string): string {
  const lower = name.toLowerCase();
  if (!NAME.test(name) || lower.startsWith('x-vault-') || FRAMING.includes(lower))
    throw new ConfigInvalid('custom_response_headers names a header that cannot be set', {
      hint: `${NAME.test(name) ? name : 'this'} is no header of an operator: X-Vault-… and ${FRAMING.join(', ')} belong to the engine`,
    });
  return lower;
}

function notAMap(): ConfigInvalid {
  return new ConfigInvalid('custom_response_headers cannot be read', {
    hint: 'write custom_response_headers { "default" = { "X-Name" = ["value"] } }',
  });
}
