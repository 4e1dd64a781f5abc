import { path, type Path } from '../../logical/logical.ts';
import { jsonPut } from '../../logical/storage.ts';
import { answer } from './answer.ts';
import type { Pki } from './context.ts';
import { optionalText } from './path-fields.ts';
import { refusal, Refused } from './refused.ts';
import {
  AUTO_TIDY_KEY,
  changeTidy,
  defaultTidy,
  getTidyConfig,
  isAnyTidied,
  showTidyConfig,
  type TidyConfig,
  tidyOperationNames,
} from './tidy-config.ts';

const flag = (description: string) => ({ type: 'bool', description }) as const;
const seconds = (description: string) => ({ type: 'duration', description }) as const;

const tidyFields = {
  tidy_cert_store: flag('Whether certificates that ended are removed.'),
  tidy_revocation_list: flag('Another name for tidy_revoked_certs.'),
  tidy_revoked_certs: flag('Whether revocations of certificates that ended are removed.'),
  tidy_revoked_cert_issuer_associations: flag('Whether revocations are linked with their issuers.'),
  tidy_expired_issuers: flag('Whether issuers that ended are removed.'),
  tidy_invalid_certs: flag('Whether stored certificates that cannot be read are removed.'),
  tidy_move_legacy_ca_bundle: flag('For old clients: there is no such bundle here.'),
  tidy_acme: flag('For other engines: there is no ACME here.'),
  safety_buffer: seconds('How long after its end a certificate is removed.'),
  revoked_safety_buffer: seconds('The same for revoked certificates; safety_buffer without it.'),
  issuer_safety_buffer: seconds('How long after its end an issuer is removed.'),
  acme_account_safety_buffer: seconds('For other engines.'),
  pause_duration: optionalText('How long to wait between certificates.'),
  page_size: { type: 'int', description: 'How many certificates are listed at once.' },
} as const;

/** tidy, tidy-status, tidy-cancel and config/auto-tidy: removing what is of no use any more. */
export function tidyPaths(pki: Pki): Path[] {
  const work = () => import('./tidy.ts');
  const status = async () => answer(await (await work()).showTidy(pki));
  return [
    path({
      pattern: 'tidy',
      synopsis: 'Tidy up the backend by removing expired certificates, revocation information, or both.',
      fields: tidyFields,
      operations: {
        update: {
          summary: 'Start tidying.',
          handler: async (_request, given) => {
            const config = changeTidy({ ...defaultTidy, enabled: true }, givenOf(given));
            return typeof config === 'string'
              ? refusal(new Refused(config))
              : (await work()).startTidy(pki, config);
          },
        },
      },
    }),
    path({
      pattern: 'tidy-cancel',
      synopsis: 'Cancels a currently running tidy operation.',
      fields: {},
      operations: {
        update: {
          summary: 'Stop tidying.',
          handler: () => {
            if (pki.tidy.phase === 'Running') pki.tidy.phase = 'Cancelling';
            return status();
          },
        },
      },
    }),
    path({
      pattern: 'tidy-status',
      synopsis: 'Returns the status of the tidy operation.',
      fields: {},
      operations: { read: { summary: 'Read how tidying goes.', handler: status } },
    }),
    path({
      pattern: 'config/auto-tidy',
      synopsis: 'Modifies the current configuration for automatic tidy execution.',
      fields: {
        ...tidyFields,
        enabled: flag('Whether tidying starts by itself.'),
        interval_duration: seconds('How often.'),
        maintain_stored_certificate_counts: flag('Whether tidy-status has counts.'),
        publish_stored_certificate_count_metrics: flag('Whether the counts are metrics.'),
      },
      operations: {
        read: {
          summary: 'Read the settings of tidying by itself.',
          handler: async () => answer(showTidyConfig(await getTidyConfig(pki.storage))),
        },
        update: {
          summary: 'Set the settings of tidying by itself; what is not given stays.',
          handler: async (_request, given) => {
            const done = await pki.change(async (batch) => {
              const config = changeTidy(await getTidyConfig(batch), givenOf(given));
              if (typeof config === 'string') return new Refused(config);
              const bad = checkAuto(config);
              if (bad !== undefined) return bad;
              await batch.write([jsonPut(AUTO_TIDY_KEY, config)]);
              return config;
            });
            return done instanceof Refused ? refusal(done) : answer(showTidyConfig(done));
          },
        },
      },
    }),
  ];
}

function givenOf(given: Readonly<Record<string, unknown>>): Partial<TidyConfig> {
  const { tidy_revocation_list: old, ...rest } = given;
  const entries = Object.entries(rest).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(entries), ...(old === true ? { tidy_revoked_certs: true } : {}) };
}

function checkAuto(config: TidyConfig): Refused | undefined {
  if (config.interval_duration < 0) {
    return new Refused(
      `given interval_duration must be greater than or equal to zero seconds; got: ${config.interval_duration}`,
    );
  }
  if (config.enabled && !isAnyTidied(config)) {
    return new Refused(
      `Auto-tidy enabled but no tidy operations were requested. Enable at least one tidy operation to be run (${tidyOperationNames}).`,
    );
  }
  return config.publish_stored_certificate_count_metrics && !config.maintain_stored_certificate_counts
    ? new Refused(
        'Can not publish a running storage metrics count to metrics without first maintaining that count.  Enable `maintain_stored_certificate_counts` to enable `publish_stored_certificate_count_metrics`.',
      )
    : undefined;
}
