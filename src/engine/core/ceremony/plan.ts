import { canonicalJson, isDigest } from '../../../ceremony/canonical.ts';
import type { Json } from '../../../lib/json.ts';
import type { CeremonyPlan } from '../../sys/ceremony-port.ts';
import { checkCounts, inspectKeys } from '../quorum/hand-out.ts';

/** What a plan's keys are. */
export interface CheckedPeople {
  /** Of the custodians, in their order. */
  readonly fingerprints: readonly string[];
  readonly requesterFingerprint: string | undefined;
}

const badDigest = 'digest must be sha256: and 64 hex digits';
const nobody: CheckedPeople = { fingerprints: [], requesterFingerprint: undefined };

/** @returns the fingerprints of a plan that can be carried out, or why it cannot */
export async function checkPlan(
  plan: CeremonyPlan,
  now: Date,
): Promise<CheckedPeople | { readonly refused: string }> {
  if (!isDigest(plan.digest)) return { refused: badDigest };
  if (plan.dryRun !== undefined && plan.type !== 'seal-migration')
    return { refused: 'dry_run belongs to seal-migration' };
  if (plan.type === 'generate-root') return checkRootToken(plan, now);
  if (plan.type === 'break-glass' && plan.custodians.length === 0 && plan.threshold === 0) return nobody;
  if (plan.type === 'seal-migration') return checkMigration(plan);
  return checkNewShares(plan, now);
}

/** @returns why a ceremony cannot be put on record: it has a digest, and asks for nothing */
export function checkRecord({
  digest,
  custodians,
  requester,
  threshold,
  ttl,
}: CeremonyPlan): string | undefined {
  if (!isDigest(digest)) return badDigest;
  const asks = custodians.length > 0 || requester !== undefined || threshold !== 0 || ttl !== 0;
  return asks ? 'a ceremony of the type record has no custodians, requester, threshold or ttl' : undefined;
}

/** Whether a plan that comes again is the one that was started. */
export function isSamePlan(a: CeremonyPlan, b: CeremonyPlan): boolean {
  const plain = (plan: CeremonyPlan): string => canonicalJson(JSON.parse(JSON.stringify(plan)) as Json);
  return plain(a) === plain(b);
}

async function checkNewShares(
  { custodians, threshold, requester }: CeremonyPlan,
  now: Date,
): Promise<CheckedPeople | { readonly refused: string }> {
  const { length } = custodians;
  if (requester !== undefined) return { refused: 'requester belongs to generate-root' };
  const wrong = checkCounts(length, threshold, length);
  if (wrong !== undefined) return { refused: `invalid recovery configuration: ${wrong}` };
  if (
    new Set(custodians.map(({ name }) => name)).size !== length ||
    custodians.some(({ name }) => name === '')
  )
    return { refused: 'every custodian needs a name of their own' };
  const keys = await inspectKeys(
    custodians.map(({ pgpKey }) => pgpKey),
    now,
  );
  if (typeof keys === 'string') return { refused: keys };
  const fingerprints = keys.map(({ fingerprint }) => fingerprint);
  if (new Set(fingerprints).size !== length) return { refused: 'every custodian needs a key of their own' };
  return { fingerprints, requesterFingerprint: undefined };
}

function checkMigration({
  custodians,
  requester,
  threshold,
}: CeremonyPlan): CheckedPeople | { readonly refused: string } {
  if (custodians.length > 0 || threshold !== 0 || requester !== undefined)
    return { refused: 'seal-migration has no custodians, threshold or requester: shares and holders stay' };
  return nobody;
}

async function checkRootToken(
  { requester, ttl, custodians }: CeremonyPlan,
  now: Date,
): Promise<CheckedPeople | { readonly refused: string }> {
  if (custodians.length > 0) return { refused: 'custodians belong to rotate-recovery and break-glass' };
  if (requester === undefined) return { refused: 'requester, with name and pgp_key, is required' };
  if (ttl < 1) return { refused: 'ttl is required: the root token revokes itself after it' };
  const keys = await inspectKeys([requester.pgpKey], now);
  if (typeof keys === 'string') return { refused: keys };
  return { fingerprints: [], requesterFingerprint: keys[0]?.fingerprint };
}
