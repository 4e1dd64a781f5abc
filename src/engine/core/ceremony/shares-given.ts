import { proofKeyOf } from '../../../ceremony/share-proof.ts';
import { equalBytes, utf8 } from '../../../lib/bytes.ts';
import type { Secret } from '../../../lib/secret.ts';
import { parseShare } from '../quorum/share-set.ts';
import type { StoredHolders } from './holders.ts';

/** Whose share one is, or why it does not count. */
export type Recognized = { readonly holder: string } | { readonly refused: string };

/**
 * Whose share a text is. Shares are recognized by their proof keys before anything is combined, so that one wrong share
 * does not spoil a quorum.
 */
export function recognize(key: string, known: StoredHolders | undefined): Recognized {
  const share = parseShare(key);
  if ('refused' in share) return share;
  using owned = share;
  return holderOf(owned, known);
}

/** What a holder is called whom a plain client did not name. */
export function holderName({ name }: { readonly name: string }, position: number): string {
  return name === '' ? `holder ${position + 1}` : name;
}

function holderOf(share: Secret, known: StoredHolders | undefined): Recognized {
  if (known === undefined) return { holder: 'an unnamed holder' };
  const proofKey = utf8(proofKeyOf(share));
  const matching = (key: string): boolean => equalBytes(utf8(key), proofKey);
  const position = known.holders.findIndex((each) => matching(each.proofKey));
  const holder = known.holders[position];
  if (holder !== undefined) return { holder: holderName(holder, position) };
  return {
    refused: known.earlier.some(matching)
      ? 'this is a share of an earlier set: it was replaced, use the one that came last'
      : 'this is no share of this vault',
  };
}
