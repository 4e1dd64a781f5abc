import type { JsonObject } from '../../../lib/json.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import type { FieldValues } from '../../logical/fields.ts';
import { type Path, path } from '../../logical/logical.ts';
import type { LeaseTtl } from '../../logical/request.ts';
import { badRequest, data, empty, keys, notFound } from '../../logical/response.ts';
import {
  noTokenParameters,
  olderTokenFields,
  readTokenFields,
  renderTokenFields,
  tokenFields,
  type TokenParameters,
} from '../token-fields.ts';
import { parsePem } from './certificate.ts';
import { isForClients } from './chain.ts';
import { isRequirement } from './constraints.ts';
import type { CertStore, TrustedCert } from './store.ts';

const { bound_cidrs, max_ttl, period, policies, ttl } = olderTokenFields;
const patterns = (of: string): { readonly type: 'commaList'; readonly description: string } => ({
  type: 'commaList',
  description: `Patterns of ${of}, one of which must fit.`,
});

const fields = {
  name: { type: 'string', description: 'The name of the certificate.', required: true },
  certificate: { type: 'string', description: 'PEM of the certificate, or of an authority.' },
  display_name: { type: 'string', description: 'Name of its tokens; the name when left out.' },
  allowed_names: patterns('common names and alternative names'),
  allowed_common_names: patterns('common names'),
  allowed_dns_sans: patterns('DNS alternative names'),
  allowed_email_sans: patterns('e-mail alternative names'),
  allowed_uri_sans: patterns('URI alternative names'),
  allowed_organizational_units: patterns('organizational units'),
  required_extensions: {
    type: 'commaList',
    description: 'oid:pattern or hex:oid:pattern, all of which must fit.',
  },
  allowed_metadata_extensions: {
    type: 'commaList',
    description: 'OIDs of extensions whose values become metadata.',
  },
  ocsp_enabled: { type: 'bool', description: 'Ask OCSP servers whether certificates are revoked.' },
  ocsp_ca_certificates: { type: 'string', description: 'PEM of authorities that may sign answers.' },
  ocsp_servers_override: { type: 'commaList', description: 'Servers to ask instead of the certificate’s.' },
  ocsp_fail_open: { type: 'bool', description: 'Go on when no server answers.' },
  ocsp_query_all_servers: { type: 'bool', description: 'Ask every server.' },
  ocsp_this_update_max_age: {
    type: 'duration',
    description: 'How old an answer may be; 0 is a day for answers that name no end.',
  },
  lease: { type: 'duration', description: 'Use token_ttl instead.', deprecated: true },
  ...tokenFields,
  bound_cidrs,
  max_ttl,
  period,
  policies,
  ttl,
} as const;

type Given = FieldValues<typeof fields>;

/** certs/: which certificates are trusted, and which tokens they are worth. */
export function certPaths(store: CertStore): Path[] {
  const locks = new KeyedMutex();
  return [
    path({
      pattern: 'certs',
      synopsis: 'Manage trusted certificates used for authentication.',
      fields: {},
      operations: {
        list: { summary: 'List the names.', handler: async () => keys(await store.certNames()) },
      },
    }),
    path({
      pattern: 'certs/:name',
      synopsis: 'Manage trusted certificates used for authentication.',
      fields,
      operations: {
        read: {
          summary: 'Read a trusted certificate.',
          handler: async (_request, { name }) => {
            const cert = await store.cert(name);
            return cert === undefined ? notFound : data(render(cert));
          },
        },
        update: {
          summary: 'Create or change a trusted certificate.',
          handler: (request, values) =>
            locks.run(values.name.toLowerCase(), async () => {
              const before = await store.cert(values.name);
              const token = readTokenFields(before?.token ?? noTokenParameters, {
                ...values,
                ttl: values.ttl ?? values.lease,
              });
              if (typeof token === 'string') return badRequest(token);
              const cert = edit(before, values, token);
              const refused = check(cert);
              if (refused !== undefined) return badRequest(refused);
              await store.putCert(cert);
              const warnings = warningsOf(token, request.leaseTtl);
              return warnings.length === 0 ? empty : data(null, warnings);
            }),
        },
        delete: {
          summary: 'Trust a certificate no longer.',
          handler: async (_request, { name }) => {
            await store.deleteCert(name);
            return empty;
          },
        },
      },
    }),
  ];
}

function edit(before: TrustedCert | undefined, given: Given, token: TokenParameters): TrustedCert {
  const name = given.name.toLowerCase();
  return {
    name,
    certificate: given.certificate ?? before?.certificate ?? '',
    displayName: (given.display_name ?? before?.displayName) || name,
    allowedNames: given.allowed_names ?? before?.allowedNames ?? null,
    allowedCommonNames: given.allowed_common_names ?? before?.allowedCommonNames ?? null,
    allowedDnsSans: given.allowed_dns_sans ?? before?.allowedDnsSans ?? null,
    allowedEmailSans: given.allowed_email_sans ?? before?.allowedEmailSans ?? null,
    allowedUriSans: given.allowed_uri_sans ?? before?.allowedUriSans ?? null,
    allowedOrganizationalUnits:
      given.allowed_organizational_units ?? before?.allowedOrganizationalUnits ?? null,
    requiredExtensions: given.required_extensions ?? before?.requiredExtensions ?? null,
    allowedMetadataExtensions: given.allowed_metadata_extensions ?? before?.allowedMetadataExtensions ?? null,
    ocsp: {
      enabled: given.ocsp_enabled ?? before?.ocsp.enabled ?? false,
      caCertificates: given.ocsp_ca_certificates ?? before?.ocsp.caCertificates ?? '',
      servers: given.ocsp_servers_override ?? before?.ocsp.servers ?? null,
      failOpen: given.ocsp_fail_open ?? before?.ocsp.failOpen ?? false,
      queryAll: given.ocsp_query_all_servers ?? before?.ocsp.queryAll ?? false,
      maxAge: given.ocsp_this_update_max_age ?? before?.ocsp.maxAge ?? 0,
    },
    token,
  };
}

function check(cert: TrustedCert): string | undefined {
  const [first] = parsePem(cert.certificate);
  if (first === undefined) return 'failed to parse certificate';
  if (!first.isCa && !isForClients(first))
    return 'nonCA certificates should have TLS client authentication set as an extended key usage';
  const odd = cert.requiredExtensions?.find((each) => !isRequirement(each));
  return odd === undefined ? undefined : `required_extensions: ${JSON.stringify(odd)} is not oid:value`;
}

function warningsOf(token: TokenParameters, limits: LeaseTtl): string[] {
  const warnings: string[] = [];
  if (token.ttl > limits.default) {
    warnings.push(
      `Given ttl of ${token.ttl} seconds is greater than current mount/system default of ${limits.default} seconds`,
    );
  }
  if (token.maxTtl > limits.max) {
    warnings.push(
      `Given max_ttl of ${token.maxTtl} seconds is greater than current mount/system default of ${limits.max} seconds`,
    );
  }
  if (token.period > limits.max) {
    warnings.push(
      `Given period of ${token.period} seconds is greater than the backend's maximum TTL of ${limits.max} seconds`,
    );
  }
  return warnings;
}

function render(cert: TrustedCert): JsonObject {
  const list = (values: readonly string[] | null): string[] | null => (values === null ? null : [...values]);
  return {
    allowed_common_names: list(cert.allowedCommonNames),
    allowed_dns_sans: list(cert.allowedDnsSans),
    allowed_email_sans: list(cert.allowedEmailSans),
    allowed_metadata_extensions: list(cert.allowedMetadataExtensions),
    allowed_names: list(cert.allowedNames),
    allowed_organizational_units: list(cert.allowedOrganizationalUnits),
    allowed_uri_sans: list(cert.allowedUriSans),
    certificate: cert.certificate,
    display_name: cert.displayName,
    ocsp_ca_certificates: cert.ocsp.caCertificates,
    ocsp_enabled: cert.ocsp.enabled,
    ocsp_fail_open: cert.ocsp.failOpen,
    ocsp_query_all_servers: cert.ocsp.queryAll,
    ocsp_this_update_max_age: cert.ocsp.maxAge ?? 0,
    ocsp_servers_override: list(cert.ocsp.servers),
    required_extensions: list(cert.requiredExtensions),
    ...renderTokenFields(cert.token),
  };
}
