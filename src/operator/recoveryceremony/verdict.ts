import { z } from 'zod';

/** What the operator found of something that a person signed. */
export interface Verdict {
  readonly accepted: boolean;
  /** Why; never anything of what was sent. */
  readonly message: string;
}

/** The schema of the `status` of an approval or a receipt. */
export const verdictSchema: z.ZodType<Verdict> = z.object({
  accepted: z.boolean().meta({ description: 'Whether it counts.' }),
  message: z.string().meta({ description: 'Why.' }),
});

export function accept(message: string): Verdict {
  return { accepted: true, message };
}

export function refuse(message: string): Verdict {
  return { accepted: false, message };
}
