import type { PathTable } from '../logical/logical.ts';
import { openApiPaths, wireOperations, wirePath } from '../logical/openapi.ts';
import type { Response } from '../logical/response.ts';
import type { Context, CoreRequest } from './context.ts';

/** Whether a request asks what an endpoint is for (`?help=1`) instead of calling it. */
export function wantsHelp({ operation, query }: CoreRequest): boolean {
  if (query === undefined || (operation !== 'read' && operation !== 'list')) return false;
  return /^(?:1|t|true)$/i.test(query.get('help') ?? '');
}

/** The help of the row that a request would reach, or of the whole mount. */
export function help({ mounted, row }: Context): Response | undefined {
  if (mounted === undefined) return undefined;
  const { prefix, backend, entry } = mounted;
  const paths = openApiPaths(prefix, backend.paths);
  if (row === undefined) return answer(mountHelp(entry.type, backend.paths), paths);
  const { pattern, synopsis, description, fields } = row.path;
  const name = `/${prefix}${wirePath(pattern)}`;
  const operations = wireOperations(row.path)
    .map(({ method, summary }) => `    ${method.toUpperCase()}\n        ${summary}`)
    .join('\n\n');
  const parameters = Object.entries(fields)
    .map(([field, { type, description: text }]) => `    ${field} (${type})\n        ${text}`)
    .join('\n\n');
  const text = [
    `Request:        ${wirePath(pattern)}`,
    synopsis,
    ...(description === '' ? [] : [description]),
    `## OPERATIONS\n\n${operations}`,
    ...(parameters === '' ? [] : [`## PARAMETERS\n\n${parameters}`]),
  ].join('\n\n');
  return answer(text, name in paths ? { [name]: paths[name] ?? {} } : {});
}

function mountHelp(type: string, table: PathTable): string {
  const rows = table.rows.map(({ pattern, synopsis }) => `    ${wirePath(pattern)}\n        ${synopsis}`);
  return `## DESCRIPTION\n\nThe ${type} backend.\n\n## PATHS\n\n${rows.join('\n\n')}\n`;
}

function answer(text: string, paths: ReturnType<typeof openApiPaths>): Response {
  return {
    kind: 'raw',
    status: 200,
    body: { help: `${text}\n`, see_also: null, openapi: { openapi: '3.0.2', paths } },
  };
}
