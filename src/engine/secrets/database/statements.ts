/**
 * The single commands of a list of statements, with `{{name}}`s filled in. A statement may hold several commands
 * behind each other; one with a dollar-quoted body, or a BEGIN … END block, stays whole.
 */
export function commands(statements: readonly string[], values: Readonly<Record<string, string>>): string[] {
  return statements.flatMap(split).map((command) => fill(command, values));
}

/** Puts values into `{{name}}`s. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? '') : whole,
  );
}

function split(statement: string): string[] {
  if (/\$\w*\$|\bBEGIN\b[\s\S]*\bEND\b/i.test(statement)) return [statement];
  return statement
    .split(';')
    .map((command) => command.trim())
    .filter((command) => command !== '');
}
