/** One thing that was looked at: right, wrong, or not there. Each is a sentence. */
export interface Finding {
  readonly level: 'right' | 'wrong' | 'note';
  readonly text: string;
}

export function right(text: string): Finding {
  return { level: 'right', text };
}

export function wrong(text: string): Finding {
  return { level: 'wrong', text };
}

export function note(text: string): Finding {
  return { level: 'note', text };
}

/** What somebody knows by another way than the file, such as from paper. */
export interface Known {
  readonly digest?: string | undefined;
  /** Base64 of the engine's public key. */
  readonly engineKey?: string | undefined;
  /** Whether the ceremony may still be going on: then nothing that comes at its end is missed. */
  readonly open: boolean;
}
