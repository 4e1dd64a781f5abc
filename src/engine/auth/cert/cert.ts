import type { Clock } from '../../../lib/clock.ts';
import { type Backend, PathTable } from '../../logical/logical.ts';
import type { Storage } from '../../logical/storage.ts';
import { Ocsp } from './ocsp.ts';
import { certPaths } from './path-certs.ts';
import { configPaths } from './path-config.ts';
import { listPaths } from './path-crls.ts';
import { loginPaths } from './path-login.ts';
import { Revocations } from './revocation.ts';
import { CertStore } from './store.ts';
import { verifyClient, type VerifyContext } from './verify.ts';

/** Logins by the certificate that a client presents in TLS. */
export function createCert(storage: Storage, clock: Clock): Backend {
  const store = new CertStore(storage);
  const context: VerifyContext = {
    store,
    clock,
    revocations: new Revocations(store, clock),
    ocsp: new Ocsp(clock, 100),
  };
  return {
    type: 'cert',
    renewLogin: async (entry, request) => {
      const name = entry.meta?.['cert_name'] ?? '';
      const { disableBinding } = await store.config();
      if (!disableBinding) {
        const verified = await verifyClient(context, request?.clientCertificates?.(), name);
        if ('refused' in verified) return verified;
        // The very certificate: another one of the same authority is somebody else's.
        if (entry.login?.renewal['fingerprint'] !== verified.client.x509.fingerprint256) {
          return { refused: 'client identity during renewal not matching client identity used during login' };
        }
      }
      const cert = await store.cert(name);
      if (cert === undefined) return { refused: 'the certificate is no longer trusted' };
      const now = new Set(cert.token.policies);
      if (!cert.token.noDefaultPolicy) now.add('default');
      return now.size === entry.policies.length && entry.policies.every((each) => now.has(each))
        ? undefined
        : { refused: 'policies have changed, not renewing' };
    },
    paths: new PathTable([
      ...configPaths(context),
      ...certPaths(store),
      ...listPaths(context),
      ...loginPaths(context),
    ]),
  };
}
