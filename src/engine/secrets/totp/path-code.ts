import type { Clock } from '../../../lib/clock.ts';
import { formatDuration } from '../../../lib/duration.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data } from '../../logical/response.ts';
import { codeAt, isValidCode } from '../../../lib/totp/code.ts';
import type { TotpStore } from './store.ts';

/** code/: the code of the moment, and whether a presented one is good. */
export function codePaths(store: TotpStore, clock: Clock): Path[] {
  const now = (): number => Math.floor(clock.now() / 1000);
  return [
    path({
      pattern: 'code/:name',
      record: false,
      names: { name: 'with-at' },
      synopsis: 'Request time-based one-time use password or validate a password for a certain key.',
      fields: {
        name: { type: 'string', description: 'Name of the key.', required: true },
        code: { type: 'string', description: 'TOTP code to be validated.', default: '' },
      },
      operations: {
        read: {
          summary: 'Make the code of the moment.',
          handler: async (_request, { name }) => {
            const key = await store.get(name);
            if (key === undefined) return badRequest(`unknown key: ${name}`);
            const seconds = now();
            return data({
              code: codeAt(key.secret, key, seconds),
              expire_time: (Math.floor(seconds / key.period) + 1) * key.period,
              generated: seconds,
              period: formatDuration(key.period),
            });
          },
        },
        update: {
          summary: 'Validate a code; each is good once.',
          handler: async (_request, { name, code }) => {
            if (code === '') return badRequest('the code value is required');
            const key = await store.get(name);
            if (key === undefined) return badRequest(`unknown key: ${name}`);
            const seconds = now();
            const valid = isValidCode(key.secret, key, key.skew, code, seconds);
            // Only good codes are remembered: wrong ones would fill the memory, and say no more than "wrong" again.
            if (!valid) return data({ valid });
            const until = seconds + key.period * (2 + key.skew);
            return store.use(name, code.trim(), seconds, until)
              ? badRequest('code already used; wait until the next time period')
              : data({ valid });
          },
        },
      },
    }),
  ];
}
