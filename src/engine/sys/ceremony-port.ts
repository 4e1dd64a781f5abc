import type { MigrationPlan } from './port.ts';

/** Why a step of a ceremony was refused. */
export interface CeremonyRefusal {
  readonly refused: string;
  readonly status: 400 | 403 | 404 | 409 | 500;
}

/** `record` asks for nothing: it is a ceremony of people alone, kept so that its evidence can be signed. */
export const CEREMONY_TYPES = [
  'rotate-recovery',
  'generate-root',
  'break-glass',
  'seal-migration',
  'record',
] as const;
export type CeremonyType = (typeof CEREMONY_TYPES)[number];

/** A person as a plan has them. */
export interface CeremonyPerson {
  readonly name: string;
  /** OpenPGP public key, base64. */
  readonly pgpKey: string;
}

/** What the operator asks for; the same id and the same plan is the same ceremony. */
export interface CeremonyPlan {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly type: CeremonyType;
  /** Of the manifest that people agreed to. */
  readonly digest: string;
  /** Of the new shares; not for generate-root. */
  readonly threshold: number;
  /** Who gets new shares. break-glass without any turns it off. */
  readonly custodians: readonly CeremonyPerson[];
  /** generate-root only. */
  readonly requester: CeremonyPerson | undefined;
  /** Seconds; generate-root only. */
  readonly ttl: number;
  /** seal-migration only: both seals prove themselves, and that is all. */
  readonly dryRun?: true;
}

export type CeremonyState = 'collecting' | 'proving' | 'committed' | 'cancelled' | 'recorded';

/** Where a ceremony stands; nothing in it is secret. */
export interface CeremonyStatus {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly type: CeremonyType;
  readonly digest: string;
  readonly state: CeremonyState;
  /** Of the quorum that is being collected; another one after a restart of the engine. */
  readonly nonce: string;
  /** Shares of today that make a quorum. */
  readonly threshold: number;
  readonly progress: number;
  /** Whose shares were given, as far as the engine knows them. */
  readonly submitted: readonly string[];
  /** Who holds the shares in force, by name; empty when nobody knows. */
  readonly holders: readonly string[];
  readonly custodians: readonly {
    readonly name: string;
    readonly fingerprint: string;
    readonly proven: boolean;
  }[];
  readonly requester: { readonly name: string; readonly fingerprint: string } | undefined;
  /** ISO 8601. */
  readonly token:
    | { readonly expiresAt: string; readonly state: 'active' | 'revoked' | 'expired' }
    | undefined;
  readonly dryRun: boolean;
  /** seal-migration: how both seals proved themselves when it began. */
  readonly seals: MigrationPlan | undefined;
  readonly startedAt: string;
  readonly engineTime: string;
}

/** Who holds the shares in force, and the keys that prove it. */
export interface RecoveryHolders {
  readonly generation: number;
  readonly threshold: number;
  readonly createdAt: string;
  readonly holders: readonly {
    readonly name: string;
    /** Of the PGP key that the share was encrypted to; empty when it was not. */
    readonly fingerprint: string;
    readonly proofKey: string;
  }[];
}

/** Ceremonies of a vault behind an HSM, one at a time; core implements it. */
export interface CeremonyPort {
  /** Whether a client is the operator: what starts and ends ceremonies, and gets their messages. */
  isOperator(clientName: string | undefined): boolean;
  start(plan: CeremonyPlan, signal: AbortSignal): Promise<CeremonyStatus | CeremonyRefusal>;
  /** @param id undefined: the one that runs, or the last one */
  status(id: string | undefined): Promise<CeremonyStatus | CeremonyRefusal>;
  submit(
    id: string,
    share: {
      readonly nonce: string;
      readonly digest: string;
      /** Hex or base64. */
      readonly key: string;
      readonly signal: AbortSignal;
    },
  ): Promise<CeremonyStatus | CeremonyRefusal>;
  prove(
    id: string,
    proof: { readonly custodian: string; readonly proof: string; readonly signal: AbortSignal },
  ): Promise<CeremonyStatus | CeremonyRefusal>;
  messages(
    id: string,
  ): Promise<
    | { readonly shares: Readonly<Record<string, string>>; readonly rootToken: string | undefined }
    | CeremonyRefusal
  >;
  revokeToken(id: string): Promise<CeremonyRefusal | undefined>;
  cancel(id: string): Promise<CeremonyRefusal | undefined>;
  holders(): Promise<RecoveryHolders | undefined>;
  /** Who can open the vault together without its HSM; undefined while the break-glass seal is off. */
  breakGlass(): Promise<Omit<RecoveryHolders, 'generation'> | undefined>;
  /** Wipes shares that are in memory. */
  close(): void;
  /** The engine's signature over the end of a log of evidence and what the engine itself knows of the ceremony. */
  attest(
    id: string,
    head: string,
  ): Promise<
    | {
        readonly statement: string;
        readonly publicKey: string;
        readonly signature: string;
        readonly engineTime: string;
      }
    | CeremonyRefusal
  >;
}
