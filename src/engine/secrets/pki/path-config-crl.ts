import { parseDuration } from '../../../lib/duration.ts';
import { path, type Path } from '../../logical/logical.ts';
import { answer } from './answer.ts';
import { type CrlConfig, durationOf, getCrlConfig, putConfig } from './config.ts';
import type { Pki } from './context.ts';
import { optionalText } from './path-fields.ts';
import { refusal, Refused } from './refused.ts';

const flag = (description: string) => ({ type: 'bool', description }) as const;

/** config/crl: how long lists and OCSP answers are valid, and when they are made. */
export function crlConfigPaths(pki: Pki): Path[] {
  return [
    path({
      pattern: 'config/crl',
      synopsis: 'Configure the CRL expiration.',
      fields: {
        expiry: optionalText('How long lists are valid.'),
        disable: flag('Whether lists are not made.'),
        ocsp_disable: flag('Whether OCSP requests are not answered.'),
        ocsp_expiry: optionalText('How long OCSP answers are valid; 0 for answers without an end.'),
        auto_rebuild: flag('Whether lists are made when they are about to end, not at each revocation.'),
        auto_rebuild_grace_period: optionalText('How long before their end lists are made anew.'),
        enable_delta: flag('Whether there are delta lists between the complete ones.'),
        delta_rebuild_interval: optionalText('How often delta lists are made.'),
        allow_expired_cert_revocation: flag('Whether certificates that ended can be revoked.'),
      },
      operations: {
        read: {
          summary: 'Read the settings of lists.',
          handler: async () => answer({ ...(await getCrlConfig(pki.storage)) }),
        },
        update: {
          summary: 'Set the settings of lists; what is not given stays.',
          handler: async (_request, given) => {
            const { buildCrls } = await import('./crl-build.ts');
            const done = await pki.change(async (batch) => {
              const old = await getCrlConfig(batch);
              const entries = Object.entries(given).filter(([, value]) => value !== undefined);
              const changed: CrlConfig = { ...old, ...Object.fromEntries(entries) };
              const bad = check(changed);
              if (bad !== undefined) return bad;
              await putConfig(batch, 'crl', changed);
              const isDue =
                old.disable !== changed.disable ||
                (old.auto_rebuild && !changed.auto_rebuild) ||
                old.enable_delta !== changed.enable_delta;
              return { changed, warnings: isDue ? await buildCrls(pki, batch, true) : [] };
            });
            if (done instanceof Refused) return refusal(done);
            return answer(
              { ...done.changed },
              done.warnings.map((text, index) => `Warning ${index + 1} during CRL rebuild: ${text}`),
            );
          },
        },
      },
    }),
  ];
}

function check(config: CrlConfig): Refused | undefined {
  for (const name of [
    'expiry',
    'ocsp_expiry',
    'auto_rebuild_grace_period',
    'delta_rebuild_interval',
  ] as const) {
    const seconds = durationOf(name, config[name]);
    if (seconds instanceof Refused) return seconds;
  }
  const expiry = parseDuration(config.expiry) ?? 0;
  if (config.auto_rebuild && (parseDuration(config.auto_rebuild_grace_period) ?? 0) >= expiry) {
    return new Refused(
      `CRL auto-rebuilding grace period (${config.auto_rebuild_grace_period}) must be strictly shorter than CRL expiry (${config.expiry}) value when auto-rebuilding of CRLs is enabled`,
    );
  }
  if (!config.enable_delta) return undefined;
  if ((parseDuration(config.delta_rebuild_interval) ?? 0) >= expiry) {
    return new Refused(
      `CRL delta rebuild window (${config.delta_rebuild_interval}) must be strictly shorter than CRL expiry (${config.expiry}) value when delta CRLs are enabled`,
    );
  }
  return config.auto_rebuild
    ? undefined
    : new Refused(
        'Delta CRLs cannot be enabled when auto rebuilding is disabled as the complete CRL is always regenerated!',
      );
}
