import { jsonPut, type StorageOperation } from '../logical/storage.ts';
import { layout } from './layout.ts';
import type { Entity, Metadata } from './model.ts';

export function putEntity(entity: Entity): StorageOperation {
  return jsonPut(layout.entity(entity.id), entity);
}

/** Nothing and an empty map are the same. */
export function sameMetadata(a: Metadata | null, b: Metadata | null): boolean {
  const [left, right] = [a ?? {}, b ?? {}];
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && left[name] === right[name])
  );
}
