import { formatDuration } from '../../../lib/duration.ts';
import { isJsonObject, type Json, type JsonObject, member, setMember } from '../../../lib/json.ts';
import type { Response } from '../../logical/response.ts';
import type { KeyMetadata, VersionState } from './store.ts';

/** The metadata of one version, as reads and writes return it. */
export function versionMetadata(metadata: KeyMetadata, version: number, state: VersionState): JsonObject {
  return {
    created_time: state.createdTime,
    custom_metadata: metadata.customMetadata === null ? null : { ...metadata.customMetadata },
    deletion_time: state.deletionTime,
    destroyed: state.destroyed,
    version,
  };
}

/** The metadata of a key, as the metadata endpoint returns it. */
export function keyMetadata(metadata: KeyMetadata): JsonObject {
  const versions: JsonObject = {};
  for (const [version, state] of Object.entries(metadata.versions)) {
    versions[version] = {
      created_time: state.createdTime,
      deletion_time: state.deletionTime,
      destroyed: state.destroyed,
    };
  }
  return {
    cas_required: metadata.casRequired,
    created_time: metadata.createdTime,
    current_metadata_version: metadata.currentMetadataVersion,
    current_version: metadata.currentVersion,
    custom_metadata: metadata.customMetadata === null ? null : { ...metadata.customMetadata },
    delete_version_after: formatDuration(metadata.deleteVersionAfter),
    max_versions: metadata.maxVersions,
    metadata_cas_required: metadata.metadataCasRequired,
    oldest_version: metadata.oldestVersion,
    updated_time: metadata.updatedTime,
    versions,
  };
}

/** RFC 7396: null removes, objects merge, everything else replaces. */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const merged: JsonObject = {};
  const source = isJsonObject(target) ? target : {};
  for (const key of Object.keys(source)) setMember(merged, key, member(source, key) ?? null);
  for (const key of Object.keys(patch)) {
    const value = member(patch, key) ?? null;
    if (value === null) delete merged[key];
    else setMember(merged, key, mergePatch(member(merged, key) ?? null, value));
  }
  return merged;
}

/** What is told of an operation that needs a key and has none. */
export const atRoot: Response = {
  kind: 'data',
  data: null,
  status: 404,
  warnings: ['Non-listing operations on the root of a K/V v2 mount are not supported.'],
};

/** The key names of a value with null in place of what they hold; depth 0 is without limit. */
export function subkeys(value: Json, depth: number): Json {
  const walk = (each: Json, level: number): Json => {
    if (!isJsonObject(each) || (depth > 0 && level > depth)) return null;
    const names: JsonObject = {};
    for (const key of Object.keys(each)) setMember(names, key, walk(member(each, key) ?? null, level + 1));
    return Object.keys(names).length === 0 && level > 1 ? null : names;
  };
  return walk(value, 1);
}

/** @returns why custom metadata is refused, in the words clients know. */
export function checkCustomMetadata(custom: Readonly<Record<string, string>>): string | undefined {
  const entries = Object.entries(custom);
  if (entries.length > 64)
    return `custom_metadata validation failed: payload must contain at most 64 keys, provided ${entries.length}`;
  for (const [key, value] of entries) {
    if (key.length === 0 || Buffer.byteLength(key) > 128) {
      return 'custom_metadata validation failed: length of key must be between 1 and 128 bytes';
    }
    if (Buffer.byteLength(value) > 512)
      return 'custom_metadata validation failed: length of value must be at most 512 bytes';
    if (/\p{Cc}/u.test(key) || /\p{Cc}/u.test(value)) {
      return 'custom_metadata validation failed: keys and values must consist of printable characters';
    }
  }
  return undefined;
}
