import { isDeepStrictEqual } from 'node:util';
import { isoSeconds } from '../../sealedvault/status.ts';
import type { SealedVault } from '../../sealedvault/kind.ts';
import { type RecoveryCeremony, testsKeys } from '../kind.ts';
import type { KeyFinding } from '../people/keys.ts';
import type { HsmSpec } from '../../sealedvault/spec.ts';
import { durationMs } from '../schema.ts';
import type { PersonSpec } from '../spec.ts';
import type { FrozenHolders, FrozenPerson, Manifest } from './manifest.ts';

/** What a plan is made of, besides the ceremony itself. */
export interface PlanInputs {
  readonly vault: SealedVault;
  /** Of all people; each of them has a good key. */
  readonly findings: readonly KeyFinding[];
  readonly clusterId: string;
  readonly holders: FrozenHolders | undefined;
  /** Under which HSM the vault is. */
  readonly inForce: HsmSpec;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly nonce: string;
}

/** @returns the plan that is to be signed */
export function freeze(ceremony: RecoveryCeremony, inputs: PlanInputs): Manifest {
  const { metadata, spec } = ceremony;
  const { vault, findings, now } = inputs;
  const { keyLabel, keyId } = inputs.inForce;
  const frozen = (people: readonly PersonSpec[]): readonly FrozenPerson[] =>
    people.flatMap((each) => freezePerson(each, findings));
  const makesShares = spec.custodians.length > 0;
  const named = frozen(spec.people ?? []);
  const drilled =
    spec.type === 'Drill' ? (inputs.holders?.custodians ?? []).map((each) => holderOf(each, named)) : [];
  const custodians = makesShares ? frozen(spec.custodians) : drilled;
  const people = named.filter(({ name }) => !custodians.some((each) => each.name === name));
  return {
    version: 1,
    ceremony: { namespace: metadata.namespace ?? '', name: metadata.name, uid: metadata.uid ?? '' },
    type: spec.type,
    vault: { name: vault.metadata.name, uid: vault.metadata.uid ?? '' },
    clusterId: inputs.clusterId,
    engineVersion: vault.status?.version ?? '',
    seal: {
      type: vault.status?.sealType ?? 'pkcs11',
      ...(keyLabel === undefined ? {} : { keyLabel }),
      ...(keyId === undefined ? {} : { keyId }),
    },
    ...(makesShares ? { threshold: spec.threshold } : {}),
    ...(custodians.length === 0 ? {} : { custodians }),
    ...(people.length === 0 ? {} : { people }),
    ...(inputs.holders === undefined ? {} : { holders: inputs.holders }),
    ...(spec.approvals === undefined ? {} : { approvals: spec.approvals }),
    ...(spec.witnesses === undefined ? {} : { witnesses: spec.witnesses }),
    ...(spec.requester === undefined ? {} : { requester: spec.requester }),
    ...(spec.rootToken?.encryptTo === undefined ? {} : { rootTokenTo: spec.rootToken.encryptTo }),
    ...(spec.type === 'GenerateRoot' ? { ttl: spec.rootToken?.ttl ?? '1h' } : {}),
    ...(spec.type === 'SealMigration' ? { sealMigration: freezeMove(spec, inputs) } : {}),
    ...(testsKeys(ceremony) ? { keyTest: 'Required' as const } : {}),
    expiresAt: isoSeconds(now + durationMs(spec.expiresAfter ?? '72h')),
    nonce: inputs.nonce,
  };
}

function freezeMove(
  { sealMigration }: RecoveryCeremony['spec'],
  { vault, inForce }: PlanInputs,
): NonNullable<Manifest['sealMigration']> {
  return { from: inForce, to: vault.spec.hsm, ...(sealMigration?.dryRun === true ? { dryRun: true } : {}) };
}

function freezePerson({ name, username, group }: PersonSpec, found: readonly KeyFinding[]): FrozenPerson[] {
  const key = found.find((each) => each.name === name)?.key;
  if (key === undefined) return [];
  return [
    {
      name,
      fingerprint: key.fingerprint,
      encryptionKey: key.encryptionKeyFingerprint,
      algorithm: key.algorithm,
      ...(key.expires === undefined ? {} : { expires: key.expires.toISOString() }),
      publicKey: key.binaryBase64,
      ...(username === undefined ? {} : { username }),
      ...(group === undefined ? {} : { group }),
    },
  ];
}

/** @returns whether a plan is one that this very spec gives, whoever wrote it down */
export function isPlanOf(ceremony: RecoveryCeremony, manifest: Manifest): boolean {
  const { spec } = ceremony;
  const names = (people: readonly { readonly name: string }[] | undefined): string =>
    (people ?? []).map(({ name }) => name).join(',');
  const named = names(spec.type === 'Drill' ? [] : spec.custodians);
  const same = (a: unknown, b: unknown): boolean => isDeepStrictEqual(a ?? null, b ?? null);
  // A ceremony that says nothing may have been frozen before there were key tests.
  const older = spec.keyTest === undefined && manifest.keyTest === undefined;
  return (
    manifest.type === spec.type &&
    manifest.vault.name === spec.vaultRef.name &&
    same(manifest.threshold, spec.threshold) &&
    (spec.type === 'Drill' || names(manifest.custodians) === named) &&
    same(manifest.approvals, spec.approvals) &&
    same(manifest.witnesses, spec.witnesses) &&
    same(manifest.requester, spec.requester) &&
    (older || (manifest.keyTest === 'Required') === testsKeys(ceremony)) &&
    same(manifest.rootTokenTo, spec.rootToken?.encryptTo) &&
    (spec.type !== 'GenerateRoot' || manifest.ttl === (spec.rootToken?.ttl ?? '1h')) &&
    same(manifest.sealMigration?.dryRun, spec.sealMigration?.dryRun || undefined)
  );
}

// In a drill the proof is the answer; a key is needed only of whoever signs something as well.
function holderOf(
  { name, fingerprint }: FrozenHolders['custodians'][number],
  named: readonly FrozenPerson[],
): FrozenPerson {
  const known = named.find((each) => each.name === name);
  return known ?? { name, fingerprint, encryptionKey: '', algorithm: '', publicKey: '' };
}

/** @returns who breaks the separation of roles only as a holder of a share in force; undefined when nobody does */
export function notSeparate(
  { spec }: RecoveryCeremony,
  findings: readonly KeyFinding[],
  holders: FrozenHolders | undefined,
): string | undefined {
  return (spec.witnesses?.names ?? []).find((name) => {
    const fingerprint = findings.find((each) => each.name === name)?.key?.fingerprint;
    return holders?.custodians.some(
      (holder) => holder.name === name || (holder.fingerprint !== '' && holder.fingerprint === fingerprint),
    );
  });
}

/** @returns the people whose keys are no longer those of the plan */
export function swappedKeys(manifest: Manifest, findings: readonly KeyFinding[]): readonly string[] {
  return [...(manifest.custodians ?? []), ...(manifest.people ?? [])]
    .filter(({ name, publicKey }) => {
      if (publicKey === '') return false;
      const found = findings.find((each) => each.name === name);
      return found?.key?.binaryBase64 !== publicKey || found.problem !== undefined;
    })
    .map(({ name }) => name);
}
