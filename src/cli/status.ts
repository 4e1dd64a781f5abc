import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface StatusOptions {
  /** URL of a vault. */
  readonly address: string;
  /** PEM of the authority to trust, beside the system's. */
  readonly ca: string | undefined;
  readonly json: boolean;
}

const ROWS: readonly (readonly [string, string])[] = [
  ['Seal Type', 'type'],
  ['Initialized', 'initialized'],
  ['Sealed', 'sealed'],
  ['Recovery Shares', 'n'],
  ['Recovery Threshold', 't'],
  ['Unseal Progress', 'progress'],
  ['Version', 'version'],
  ['Storage Type', 'storage_type'],
  ['Cluster Name', 'cluster_name'],
  ['Cluster ID', 'cluster_id'],
];

/**
 * Prints sys/seal-status.
 * @returns 0 unsealed, 2 sealed, 1 when the vault cannot be asked (the exit codes of Vault's own command)
 */
export async function printStatus(options: StatusOptions): Promise<number> {
  let status: Record<string, unknown>;
  try {
    status = await sealStatus(options);
  } catch (error) {
    process.stderr.write(
      `The vault at ${options.address} cannot be asked: ${error instanceof Error ? error.message : 'unknown error'}\n`,
    );
    return 1;
  }
  if (options.json) process.stdout.write(`${JSON.stringify(status, null, 2)}\n`);
  else {
    const shown = ROWS.filter(([, key]) => status[key] !== undefined);
    const width = Math.max(...shown.map(([name]) => name.length)) + 4;
    for (const [name, key] of shown) process.stdout.write(`${name.padEnd(width)}${String(status[key])}\n`);
    const { warnings } = status;
    if (Array.isArray(warnings))
      for (const warning of warnings) process.stdout.write(`\n* ${String(warning)}\n`);
  }
  return status['sealed'] === true ? 2 : 0;
}

function sealStatus({ address, ca }: StatusOptions): Promise<Record<string, unknown>> {
  const url = new URL('/v1/sys/seal-status', address);
  const secure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const call = (secure ? httpsRequest : httpRequest)(
      url,
      { timeout: 10_000, ...(ca === undefined ? {} : { ca }) },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('error', reject);
        response.once('end', () => {
          try {
            resolve(JSON.parse(text) as Record<string, unknown>);
          } catch {
            reject(new Error(`it answered ${response.statusCode} without a seal status`));
          }
        });
      },
    );
    call.once('timeout', () => call.destroy(new Error('no answer within 10 s')));
    call.once('error', reject);
    call.end();
  });
}
