import { canonicalJson } from '../../../ceremony/canonical.ts';
import { appended, type EvidenceEntry, headOf } from '../../../ceremony/evidence.ts';
import type { EvidenceStatus } from '../spec.ts';
import { type Manifest, manifestDigest } from '../plan/manifest.ts';
import { type Attestation, type Bundle, bundleHead, type Proof, type Statement } from './bundle.ts';

/** Steps of a ceremony that its evidence knows; docs/ceremonies.md tells what each means. */
export type EvidenceStep =
  | 'planned'
  | 'approved'
  | 'key-test'
  | 'key-tested'
  | 'refused'
  | 'started'
  | 'seals-proven'
  | 'interrupted'
  | 'share-given'
  | 'shares-made'
  | 'delivered'
  | 'received'
  | 'reported-lost'
  | 'proof-given'
  | 'proved'
  | 'committed'
  | 'token-revoked'
  | 'token-expired'
  | 'cancelled'
  | 'expired'
  | 'failed'
  | 'witnessed'
  | 'evidence-lost';

/** Something that happened. Facts tell it from others of its kind, so they hold no time. */
export interface Happening {
  readonly who: string;
  readonly step: EvidenceStep;
  readonly facts?: Readonly<Record<string, string>>;
  /** ISO 8601, when a server told it; else the time at which it is written. */
  readonly time?: string | undefined;
}

const MAX_ENTRIES = 320;
const MAX_STATEMENTS = 64;
const MAX_OF_CUSTODIANS = 96;
// Of what anybody can cause any number of times, only so much is kept: the rest of the ceremony needs room.
const MAX_REPEATED = 64;
const REPEATED: readonly string[] = [
  'refused',
  'interrupted',
  'share-given',
  'received',
  'reported-lost',
  'key-test',
];

/** The evidence of one ceremony, in memory: it only grows, and the same thing is in it once. */
export class Evidence {
  #bundle: Bundle;
  #changed = false;
  #version: string | undefined;

  private constructor(bundle: Bundle, version: string | undefined) {
    this.#bundle = bundle;
    this.#version = version;
  }

  /** Goes on with what is stored, or begins. */
  static from(manifest: Manifest, stored: Bundle | undefined, version?: string): Evidence {
    return new Evidence(stored ?? { manifest, entries: [], statements: [], proofs: [] }, version);
  }

  get bundle(): Bundle {
    return this.#bundle;
  }

  get head(): string {
    return bundleHead(this.#bundle);
  }

  /** Whether there is something to be stored. */
  get changed(): boolean {
    return this.#changed;
  }

  /** Of the object that it was read from or written to; undefined while there is none. */
  get version(): string | undefined {
    return this.#version;
  }

  /** @param version of the object that now holds it */
  stored(version: string | undefined): void {
    this.#changed = false;
    this.#version = version;
  }

  has(step: EvidenceStep, who?: string): boolean {
    return this.find(step, who) !== undefined;
  }

  find(step: EvidenceStep, who?: string): EvidenceEntry | undefined {
    return this.#bundle.entries.find((each) => each.step === step && (who === undefined || each.who === who));
  }

  /** Whether what a status once told of is still in it. */
  holds(told: EvidenceStatus): boolean {
    const { entries, manifest } = this.#bundle;
    return headOf(entries.slice(0, told.entries), manifestDigest(manifest)) === told.head;
  }

  /** Appends what happened, unless it is there. */
  add({ who, step, facts = {}, time }: Happening, now: number): void {
    const { entries, manifest } = this.#bundle;
    const same = canonicalJson({ ...facts });
    const known = entries.some(
      (each) => each.who === who && each.step === step && canonicalJson({ ...each.facts }) === same,
    );
    const repeated = REPEATED.includes(step);
    const full =
      entries.length >= MAX_ENTRIES ||
      (repeated && entries.filter((each) => each.step === step).length >= MAX_REPEATED / 2) ||
      (repeated && entries.filter((each) => REPEATED.includes(each.step)).length >= MAX_REPEATED);
    if (known || full) return;
    // Two clocks tell the time here; what came later is never written as if it had come before.
    const [last] = entries.toReversed();
    const told = new Date(time ?? now).toISOString();
    const event = { time: last !== undefined && last.time > told ? last.time : told, who, step, facts };
    this.#set({ entries: appended(entries, manifestDigest(manifest), event) });
  }

  /** Keeps what a person signed; of the same text the signature that was checked last. */
  addStatement(statement: Statement): void {
    const { text, person, role, signature } = statement;
    const before = this.#bundle.statements.find((each) => each.text === text && each.person === person);
    if (before?.signature === signature) return;
    const others = this.#bundle.statements.filter((each) => each !== before);
    // Custodians may say much; there is always room for those whose word is required.
    const theirs = role === 'Custodian';
    const alike = others.filter((each) => (each.role === 'Custodian') === theirs);
    if (alike.length >= (theirs ? MAX_OF_CUSTODIANS : MAX_STATEMENTS)) return;
    this.#set({ statements: [...others, statement] });
  }

  /** Keeps a proof; without the key of its share only until that is known. */
  addProof(proof: Proof): void {
    if (proof.proofKey === '') {
      const { pending = [] } = this.#bundle;
      if (pending.some((each) => each.custodian === proof.custodian)) return;
      this.#set({ pending: [...pending, proof] });
      return;
    }
    const others = this.#bundle.proofs.filter(({ custodian }) => custodian !== proof.custodian);
    const before = this.#bundle.proofs.find(({ custodian }) => custodian === proof.custodian);
    if (before?.proof === proof.proof && before.proofKey === proof.proofKey) return;
    this.#set({ proofs: [...others, proof] });
  }

  /** The shares of the proofs that were taken are in force: now their keys are known. */
  settle(proofKeys: ReadonlyMap<string, string>): void {
    const { pending, ...rest } = this.#bundle;
    if (pending === undefined) return;
    this.#bundle = rest;
    this.#changed = true;
    for (const proof of pending) {
      const proofKey = proofKeys.get(proof.custodian) ?? '';
      if (proofKey !== '') this.addProof({ ...proof, proofKey });
    }
  }

  attest(attestation: Attestation): void {
    this.#set({ attestation });
  }

  #set(change: Partial<Bundle>): void {
    this.#bundle = { ...this.#bundle, ...change };
    this.#changed = true;
  }
}
