import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { createAuthority, issueCertificate } from '../../support/cluster/certificates.ts';

const authority = createAuthority('clients');
const certificate = issueCertificate(authority, { commonName: 'operator', usage: 'client' });
const server = issueCertificate(authority, {
  commonName: 'vault',
  usage: 'server',
  addresses: ['127.0.0.1'],
});

/** Configuration of an engine that the operator may initialize: listener 0 is plain, listener 1 knows the operator. */
export function operatorConfig(dir: string): object {
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    return join(dir, name);
  };
  return {
    init_client_name: 'operator',
    listener: [
      { tcp: { address: '127.0.0.1:0', tls_disable: true } },
      {
        tcp: {
          address: '127.0.0.1:0',
          tls_cert_file: file('cert', server.certificate),
          tls_key_file: file('key', server.key),
          tls_client_ca_file: file('ca', authority.certificate),
        },
      },
    ],
  };
}

/** A call with the operator's certificate, on a listener that operatorConfig made. */
export function asOperator(
  address: string,
  method: string,
  path: string,
  body?: object,
): Promise<{ readonly status: number; readonly body: any }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `https://${address}/v1/${path}`,
      {
        method,
        agent: false,
        ca: authority.certificate,
        cert: certificate.certificate,
        key: certificate.key,
      },
      (message) => {
        let text = '';
        message.setEncoding('utf8');
        message.on('data', (chunk: string) => (text += chunk));
        message.on('end', () =>
          resolve({ status: message.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) }),
        );
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
