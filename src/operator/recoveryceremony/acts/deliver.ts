import { SECRET } from '../../sealedvault/types.ts';
import { holdsMessage, type Message, messageSecret } from '../messages.ts';
import { note, type Note } from '../note.ts';
import type { ActInput } from './act.ts';

/** What became of writing messages to their Secrets. */
export interface Delivered {
  readonly names: ReadonlySet<string>;
  /** Undefined when all of them are durable. */
  readonly conflict: Note | undefined;
}

/** Creates the Secret of each message; one that is there is never overwritten. */
export async function deliver(
  messages: readonly Message[],
  { ceremony, context, evidence }: ActInput,
): Promise<Delivered> {
  const { api, signal, clock } = context;
  const namespace = ceremony.metadata.namespace ?? '';
  const names = new Set<string>();
  const taken: string[] = [];
  for (const message of messages) {
    const { secretName, sha256, custodian, kind } = message;
    const created = await api.create(SECRET, messageSecret(ceremony, message), signal);
    if (created === undefined) {
      const live = await api.get(SECRET, { namespace, name: secretName }, signal);
      if (live === undefined || !holdsMessage(live, message)) {
        taken.push(secretName);
        continue;
      }
    }
    names.add(secretName);
    const facts = { what: kind, to: custodian.name, secret: secretName, sha256 };
    evidence.add({ who: 'operator', step: 'delivered', facts }, clock.now());
  }
  if (taken.length === 0) return { names, conflict: undefined };
  return {
    names,
    conflict: note(
      'SecretConflict',
      `A Secret with other content has the name of a share: ${taken.join(', ')}. Move it away; nothing was overwritten, and the vault still has the encrypted shares.`,
    ),
  };
}
