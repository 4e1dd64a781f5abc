import { path, type Path } from '../../logical/logical.ts';
import { answer } from './answer.ts';
import { getDefaultKey, getIssuersConfig, putConfig } from './config.ts';
import type { Pki } from './context.ts';
import { refusal, Refused } from './refused.ts';

/** config/issuers, config/keys and root/replace: which issuer and key are meant without a reference. */
export function defaultPaths(pki: Pki): Path[] {
  const setIssuer = async (ref: string, follows: boolean | undefined) => {
    if (ref === '' || ref === 'default') {
      return refusal(new Refused("Invalid issuer specification; must be non-empty and can't be 'default'."));
    }
    const { reasonOf, resolveIssuer } = await import('./issuers.ts');
    const done = await pki.change(async (batch) => {
      const issuer = await resolveIssuer(batch, ref);
      if (issuer instanceof Refused)
        return new Refused(`Error resolving issuer reference: ${reasonOf(issuer)}`);
      const old = await getIssuersConfig(batch);
      const config = {
        default: issuer.id,
        default_follows_latest_issuer: follows ?? old.default_follows_latest_issuer,
      };
      await putConfig(batch, 'issuers', config);
      return { config, hasKey: issuer.keyId !== '' };
    });
    if (done instanceof Refused) return refusal(done);
    return answer(
      done.config,
      done.hasKey
        ? []
        : [
            'This selected default issuer has no key associated with it. Some operations like issuing certificates and signing CRLs will be unavailable with the requested default issuer until a key is imported or the default issuer is changed.',
          ],
    );
  };
  return [
    path({
      pattern: 'config/issuers',
      synopsis: 'Read and set the default issuer certificate for signing.',
      fields: {
        default: { type: 'string', description: 'Id or name of the default issuer.', default: '' },
        default_follows_latest_issuer: {
          type: 'bool',
          description: 'Whether the latest issuer becomes the default.',
        },
      },
      operations: {
        read: {
          summary: 'Read the default issuer.',
          handler: async () => answer({ ...(await getIssuersConfig(pki.storage)) }),
        },
        update: {
          summary: 'Set the default issuer.',
          handler: (_request, { default: ref, default_follows_latest_issuer: follows }) =>
            setIssuer(ref, follows),
        },
      },
    }),
    path({
      pattern: 'root/replace',
      synopsis: 'Read and set the default issuer certificate for signing.',
      fields: { default: { type: 'string', description: 'Id or name of the issuer.', default: 'next' } },
      operations: {
        update: {
          summary: 'Make the issuer that is named next the default.',
          handler: (_request, { default: ref }) => setIssuer(ref, undefined),
        },
      },
    }),
    path({
      pattern: 'config/keys',
      synopsis: 'Read and set the default key used for signing.',
      fields: { default: { type: 'string', description: 'Id or name of the default key.', default: '' } },
      operations: {
        read: {
          summary: 'Read the default key.',
          handler: async () => answer({ default: await getDefaultKey(pki.storage) }),
        },
        update: {
          summary: 'Set the default key.',
          handler: async (_request, { default: ref }) => {
            if (ref === '' || ref === 'default') {
              return refusal(
                new Refused("Invalid key specification; must be non-empty and can't be 'default'."),
              );
            }
            const { reasonOf, resolveKey } = await import('./issuers.ts');
            const done = await pki.change(async (batch) => {
              const key = await resolveKey(batch, ref);
              if (key instanceof Refused)
                return new Refused(`Error resolving issuer reference: ${reasonOf(key)}`);
              await putConfig(batch, 'keys', { default: key.id });
              return key.id;
            });
            return done instanceof Refused ? refusal(done) : answer({ default: done });
          },
        },
      },
    }),
  ];
}
