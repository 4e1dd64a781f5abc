import type { CodeShape } from '../../../lib/totp/code.ts';

/** How codes of one time are made and taken. */
export interface TotpMethod extends CodeShape {
  readonly id: string;
  readonly name: string;
  readonly issuer: string;
  readonly skew: 0 | 1;
  /** Bytes. */
  readonly keySize: number;
  readonly qrSize: number;
  /** Wrong codes of an entity before it has to wait. */
  readonly maxValidationAttempts: number;
}

/** Whose logins need a second factor: those that one of the lists names. */
export interface Enforcement {
  readonly id: string;
  readonly name: string;
  readonly methodIds: readonly string[];
  readonly accessors: readonly string[];
  readonly types: readonly string[];
  readonly groupIds: readonly string[];
  readonly entityIds: readonly string[];
}

/** The secret of an entity for a method, with what the method was when it was made. */
export interface TotpSecret extends CodeShape {
  /** Base32. */
  readonly key: string;
  readonly skew: number;
}
