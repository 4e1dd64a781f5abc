import { getJson, jsonPut, type Storage } from '../logical/storage.ts';

interface VersionRecord {
  readonly installed: string;
  readonly buildDate: string;
}

/** Notes the version that runs now, the first time that it does. */
export async function recordVersion(
  storage: Storage,
  { version, buildDate }: { readonly version: string; readonly buildDate: string },
  now: Date,
): Promise<void> {
  const key = `core/versions/${version}`;
  if ((await storage.get(key)) !== undefined) return;
  const record: VersionRecord = { installed: now.toISOString(), buildDate };
  await storage.write([jsonPut(key, record)]);
}

/** The versions that this vault has run, the oldest first. */
export async function versionsOf(
  storage: Storage,
): Promise<{ readonly version: string; readonly installed: string; readonly buildDate: string }[]> {
  const found = [];
  for (const version of await storage.list('core/versions/')) {
    const record = await getJson<VersionRecord>(storage, `core/versions/${version}`);
    if (record !== undefined) found.push({ version, ...record });
  }
  return found.toSorted((a, b) => (a.installed < b.installed ? -1 : 1));
}
