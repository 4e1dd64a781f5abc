import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { createVaultClient, type VaultApi } from '../../client/factory.ts';
import { VaultClientError } from '../../client/errors.ts';
import type { Json, JsonObject } from '../../lib/json.ts';
import type { CeremonyContext } from './context.ts';
import { CeremonyFailure, wrongUsage } from './failure.ts';

/** A ceremony as the engine sees it. */
export interface EngineCeremony {
  readonly id: string;
  readonly digest: string;
  readonly state: string;
  readonly nonce: string;
  readonly threshold: number;
  readonly progress: number;
  readonly submitted: readonly string[];
}

/** The engine, asked directly: over TLS, with a certificate that is verified. */
export interface CeremonyEngine {
  readonly address: string;
  status(id: string): Promise<EngineCeremony>;
  submit(
    id: string,
    share: { readonly nonce: string; readonly digest: string; readonly key: string },
  ): Promise<EngineCeremony>;
}

/** Whether the person said where the engine is. */
export function hasAddress({ args, env }: CeremonyContext): boolean {
  return (args.get('address') ?? env['BAO_ADDR'] ?? env['VAULT_ADDR']) !== undefined;
}

/** @throws CeremonyFailure when the address is none, or not one of TLS */
export function engineOf({ args, env }: CeremonyContext): CeremonyEngine {
  const address = args.get('address') ?? env['BAO_ADDR'] ?? env['VAULT_ADDR'];
  if (address === undefined || !URL.canParse(address))
    throw wrongUsage('Where is the vault?', 'name it with --address https://HOST:8200, or VAULT_ADDR');
  const url = new URL(address);
  if (url.protocol !== 'https:')
    throw wrongUsage(
      'A share is sent over TLS only',
      `the address must begin with https:, not ${url.protocol}`,
    );
  const file = args.get('ca-cert') ?? env['BAO_CACERT'] ?? env['VAULT_CACERT'];
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const client = createVaultClient({
    host,
    port: url.port === '' ? 443 : Number(url.port),
    servername: args.get('tls-server-name') ?? env['VAULT_TLS_SERVER_NAME'] ?? host,
    authority: file === undefined ? rootCertificates.join('\n') : readAuthority(file),
    timeoutMs: 30_000,
  });
  return {
    address: url.origin,
    status: async (id) => read(await ask(client, url.origin, 'GET', `sys/ceremony/${id}`)),
    submit: async (id, share) =>
      read(await ask(client, url.origin, 'POST', `sys/ceremony/${id}/submit`, share)),
  };
}

async function ask(
  client: VaultApi,
  origin: string,
  method: string,
  path: string,
  body?: object,
): Promise<JsonObject> {
  let answer;
  try {
    answer = await client.request(method, path, body);
  } catch (cause) {
    const why = cause instanceof VaultClientError ? cause.message : 'it cannot be asked';
    throw new CeremonyFailure(`The vault at ${origin} gave no answer: ${why}`, {
      cause,
      hint:
        cause instanceof VaultClientError && cause.failure === 'certificate'
          ? 'its certificate is not one of the authority in --ca-cert, or is for another name (--tls-server-name)'
          : 'is the address right, and the port forwarded?',
    });
  }
  if (answer.status === 200 && answer.body !== undefined) return answer.body;
  const errors = answer.body?.['errors'];
  const said = Array.isArray(errors) ? errors.filter((each) => typeof each === 'string').join('; ') : '';
  throw new CeremonyFailure(
    answer.status === 404
      ? 'The vault knows no such ceremony'
      : `The vault refused: ${said === '' ? `status ${answer.status}` : said}`,
    answer.status === 404
      ? { hint: 'it may not have started yet, or this is another vault: look at ceremony status' }
      : {},
  );
}

function read(body: JsonObject): EngineCeremony {
  const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
  const numberOf = (value: Json | undefined): number => (typeof value === 'number' ? value : 0);
  const submitted = body['submitted'];
  return {
    id: textOf(body['id']),
    digest: textOf(body['digest']),
    state: textOf(body['state']),
    nonce: textOf(body['nonce']),
    threshold: numberOf(body['threshold']),
    progress: numberOf(body['progress']),
    submitted: Array.isArray(submitted) ? submitted.filter((each) => typeof each === 'string') : [],
  };
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CeremonyFailure(`The file of the authority, ${file}, cannot be read`, { cause });
  }
}
