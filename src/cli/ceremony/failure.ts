import { SealedVaultError } from '../../lib/errors.ts';

/** A verb that was understood but cannot be done. The message is a sentence for the person who typed it; the hint says what to do. */
export class CeremonyFailure extends SealedVaultError {
  override readonly code = 'ERR_CEREMONY_TOOL';
  /** 1 failed, 2 wrong usage. */
  readonly exitCode: 1 | 2;

  constructor(message: string, options: { hint?: string; cause?: unknown; exitCode?: 1 | 2 } = {}) {
    super(message, options);
    this.exitCode = options.exitCode ?? 1;
  }
}

/** What was typed is not what a verb takes. */
export function wrongUsage(message: string, hint?: string): CeremonyFailure {
  return new CeremonyFailure(message, { exitCode: 2, ...(hint === undefined ? {} : { hint }) });
}
