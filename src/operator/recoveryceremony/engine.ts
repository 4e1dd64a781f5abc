import type { VaultApi } from '../../client/factory.ts';
import { VaultClientError } from '../../client/errors.ts';
import type { InitRequest } from '../../client/messages.ts';
import { note, type Note } from './note.ts';

/** What came of asking the engine. */
export type Exchange =
  | { readonly engine: 'answered'; readonly recoveryKeys: readonly string[]; readonly rootToken: string }
  | { readonly engine: 'retry' | 'foreign' | 'empty'; readonly note: Note };

/**
 * Asks the engine to initialize the vault, or for the answer that it gave before.
 * @param onlyAsk do not initialize a vault that is not: the ceremony is going away
 */
export async function askEngine(
  client: VaultApi,
  request: InitRequest,
  onlyAsk: boolean,
  signal: AbortSignal,
): Promise<Exchange> {
  try {
    if (onlyAsk && !(await client.initialized({ signal })))
      return { engine: 'empty', note: note('Refused', 'Nothing was made before the ceremony was deleted.') };
    const first = await put(client, request, signal);
    // A call of ours that was cut off may have ended between the two questions: only a repeated refusal is one.
    if (first.engine !== 'refused') return first;
    if (!(await client.initialized({ signal }))) return { engine: 'retry', note: first.note };
    const second = await put(client, request, signal);
    if (second.engine !== 'refused') return second;
    return {
      engine: 'foreign',
      note: note(
        'VaultAlreadyInitialized',
        'The vault was initialized by something else than this ceremony.',
      ),
    };
  } catch (error) {
    if (!(error instanceof VaultClientError)) throw error;
    return { engine: 'retry', note: note('VaultNotReachable', `The vault was asked: ${error.message}.`) };
  }
}

async function put(
  client: VaultApi,
  request: InitRequest,
  signal: AbortSignal,
): Promise<Exchange | { readonly engine: 'refused'; readonly note: Note }> {
  const { status, body } = await client.init(request, { signal });
  if (body.ok) return { engine: 'answered', recoveryKeys: body.recoveryKeys, rootToken: body.rootToken };
  const said = (body.errors[0] ?? '').slice(0, 500);
  if (status === 400) return { engine: 'refused', note: note('Refused', `The vault refused: ${said}.`) };
  if (status === 403)
    return {
      engine: 'retry',
      note: note('NotPermitted', 'The vault does not know the operator’s certificate yet.'),
    };
  if (status === 503)
    return {
      engine: 'retry',
      note: note('VaultSealed', 'The vault is sealed; the ceremony goes on when it is not.'),
    };
  return { engine: 'retry', note: note('SealNotUsable', `The vault cannot be initialized: ${said}.`) };
}
