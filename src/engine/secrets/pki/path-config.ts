import type { JsonObject } from '../../../lib/json.ts';
import { path, type Path } from '../../logical/logical.ts';
import { getJson, jsonPut, type Storage } from '../../logical/storage.ts';
import { answer } from './answer.ts';
import { badUrl, getCluster, getUrls, isUrl, putConfig, URL_FIELDS, type UrlConfig } from './config.ts';
import type { Pki } from './context.ts';
import { failed, refusal, Refused } from './refused.ts';

const urls = (description: string) => ({ type: 'commaList', description }) as const;

const urlFields = {
  issuing_certificates: urls('URLs of the certificate of the issuer.'),
  crl_distribution_points: urls('URLs of lists of revoked certificates.'),
  delta_crl_distribution_points: urls('URLs of delta lists.'),
  ocsp_servers: urls('URLs of OCSP responders.'),
  enable_templating: { type: 'bool', description: 'Whether URLs are templates.' },
} as const;

/** config/urls, config/cluster and config/acme. */
export function configPaths(pki: Pki): Path[] {
  return [
    path({
      pattern: 'config/urls',
      synopsis: 'Set the URLs for the issuing CA, CRL distribution points, and OCSP servers.',
      fields: urlFields,
      operations: {
        read: {
          summary: 'Read the URLs.',
          handler: async () => answer(showUrls(await getUrls(pki.storage))),
        },
        update: {
          summary: 'Set URLs; what is not given stays.',
          handler: async (_request, given) => {
            const done = await pki.change(async (batch) => {
              const old = await getUrls(batch);
              const changed = {
                issuing_certificates: given.issuing_certificates ?? old.issuing_certificates,
                crl_distribution_points: given.crl_distribution_points ?? old.crl_distribution_points,
                delta_crl_distribution_points:
                  given.delta_crl_distribution_points ?? old.delta_crl_distribution_points,
                ocsp_servers: given.ocsp_servers ?? old.ocsp_servers,
                enable_templating: given.enable_templating ?? old.enable_templating,
              };
              for (const name of URL_FIELDS) {
                const bad = changed.enable_templating ? undefined : badUrl(changed[name]);
                if (bad !== undefined) {
                  return new Refused(
                    `invalid URL found in Authority Information Access (AIA) parameter ${name}: ${bad}`,
                  );
                }
              }
              await putConfig(batch, 'urls', changed);
              return changed;
            });
            if (done instanceof Refused) return refusal(done);
            const warnings = done.enable_templating ? await templateWarnings(pki) : [];
            return answer(showUrls(done), warnings);
          },
        },
      },
    }),
    path({
      pattern: 'config/cluster',
      synopsis: 'Set cluster-local configuration, including address to this PR cluster.',
      fields: {
        path: { type: 'string', description: 'Where clients reach this mount.' },
        aia_path: { type: 'string', description: 'Where clients reach what certificates point to.' },
      },
      operations: {
        read: {
          summary: 'Read the addresses.',
          handler: async () => answer({ ...(await getCluster(pki.storage)) }),
        },
        update: {
          summary: 'Set addresses; what is not given stays.',
          handler: async (_request, { path: own, aia_path: aia }) => {
            if (own !== undefined && !isUrl(own))
              return refusal(failed(`invalid, non-URL path given to cluster: ${own}`));
            if (aia !== undefined && !isUrl(aia))
              return refusal(failed(`invalid, non-URL aia_path given to cluster: ${aia}`));
            const changed = await pki.change(async (batch) => {
              const old = await getCluster(batch);
              const config = { path: own ?? old.path, aia_path: aia ?? old.aia_path };
              await putConfig(batch, 'cluster', config);
              return config;
            });
            if (changed instanceof Refused) return refusal(changed);
            return answer(changed);
          },
        },
      },
    }),
    acmePath(pki),
  ];
}

function showUrls(config: UrlConfig): JsonObject {
  const shown: JsonObject = { enable_templating: config.enable_templating };
  for (const name of URL_FIELDS) shown[name] = [...config[name]];
  return shown;
}

async function templateWarnings(pki: Pki): Promise<string[]> {
  const { allIssuers, reasonOf } = await import('./issuers.ts');
  const { renderUrls } = await import('./signer.ts');
  const [issuer] = await allIssuers(pki.storage);
  if (issuer === undefined) return [];
  const rendered = await renderUrls(pki.storage, await getUrls(pki.storage), issuer.id);
  return rendered instanceof Refused
    ? [
        `issuance may fail: ${reasonOf(rendered)}\n\nConsider setting the cluster-local address if it is not already set.`,
      ]
    : [];
}

const ACME = 'config/acme';
const acmeDefaults = {
  allow_role_ext_key_usage: false,
  allowed_issuers: ['*'],
  allowed_roles: ['*'],
  default_directory_policy: 'sign-verbatim',
  dns_resolver: '',
  eab_policy: 'not-required',
  enabled: false,
};

// There is no ACME server here: its settings can be read and kept, but it cannot be enabled.
function acmePath(pki: Pki): Path {
  const read = async (storage: Storage): Promise<typeof acmeDefaults> => ({
    ...acmeDefaults,
    ...(await getJson<typeof acmeDefaults>(storage, ACME)),
  });
  return path({
    pattern: ACME,
    synopsis: 'Configuration of ACME Endpoints.',
    fields: {
      enabled: { type: 'bool', description: 'Whether ACME is enabled: it cannot be.' },
      allowed_issuers: { type: 'commaList', description: 'Issuers for ACME.' },
      allowed_roles: { type: 'commaList', description: 'Roles for ACME.' },
      allow_role_ext_key_usage: { type: 'bool', description: "Whether a role's usages are used." },
      default_directory_policy: { type: 'string', description: 'What the default directory allows.' },
      dns_resolver: { type: 'string', description: 'Address of a DNS resolver.' },
      eab_policy: { type: 'string', description: 'Which accounts must be bound.' },
    },
    operations: {
      read: { summary: 'Read the settings of ACME.', handler: async () => answer(await read(pki.storage)) },
      update: {
        summary: 'Set the settings of ACME.',
        handler: async (_request, given) => {
          if (given.enabled === true) return refusal(new Refused('ACME is not supported by this engine'));
          const entries = Object.entries(given).filter(([, value]) => value !== undefined);
          const changed = await pki.change(async (batch) => {
            const config = { ...(await read(batch)), ...Object.fromEntries(entries) };
            await batch.write([jsonPut(ACME, config)]);
            return config;
          });
          return changed instanceof Refused ? refusal(changed) : answer(changed);
        },
      },
    },
  });
}
