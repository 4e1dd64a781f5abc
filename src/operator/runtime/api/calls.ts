import { statusOf } from '../errors.ts';
import type { KubeObject, ObjectKey, ResourceType } from '../runtime.ts';
import type { Connection } from './connection.ts';
import { collectionPath, objectPath, withQuery } from './paths.ts';

const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const PAGE = '500';

interface Page {
  readonly metadata?: { readonly continue?: string };
  readonly items?: readonly KubeObject[];
}

/** The verbs of the API, each one request but for lists; writes are refused once the lease is not held. */
export class Calls {
  readonly #connection: Connection;
  readonly #mayWrite: () => void;

  /** @param mayWrite throws when this process must not write any more */
  constructor(connection: Connection, mayWrite: () => void) {
    this.#connection = connection;
    this.#mayWrite = mayWrite;
  }

  get(type: ResourceType, key: ObjectKey, signal: AbortSignal): Promise<KubeObject | undefined> {
    return this.#read(type, key, 'application/json', signal);
  }

  /** Only the metadata of an object. */
  metadata(type: ResourceType, key: ObjectKey, signal: AbortSignal): Promise<KubeObject | undefined> {
    return this.#read(type, key, METADATA, signal);
  }

  async list(
    type: ResourceType,
    namespace: string,
    labelSelector: string | undefined,
    signal: AbortSignal,
  ): Promise<readonly KubeObject[]> {
    const items: KubeObject[] = [];
    let next: string | undefined;
    do {
      const path = withQuery(collectionPath(type, namespace), { labelSelector, limit: PAGE, continue: next });
      const call = { verb: 'list', resource: type.plural, method: 'GET', path, signal } as const;
      const page = (await this.#connection.request(call)) as Page | undefined;
      // The items of a list carry neither kind nor version.
      for (const item of page?.items ?? [])
        items.push({ ...item, apiVersion: type.apiVersion, kind: type.kind });
      next = page?.metadata?.continue;
    } while (next !== undefined && next !== '');
    return items;
  }

  /** Server-side apply that takes over the fields it names. */
  async patch(
    type: ResourceType,
    object: KubeObject,
    options: { readonly manager: string; readonly subresource?: string },
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    this.#mayWrite();
    const { subresource, manager } = options;
    const { name, namespace } = object.metadata;
    const path = objectPath(type, { name, ...(namespace === undefined ? {} : { namespace }) });
    const answer = await this.#connection.request({
      verb: 'patch',
      resource: subresource === undefined ? type.plural : `${type.plural}/${subresource}`,
      method: 'PATCH',
      path: withQuery(subresource === undefined ? path : `${path}/${subresource}`, {
        fieldManager: manager,
        force: 'true',
      }),
      body: object,
      contentType: 'application/apply-patch+yaml',
      accept: METADATA,
      signal,
    });
    return answer as KubeObject | undefined;
  }

  /** @returns undefined when an object of that name exists */
  async create(type: ResourceType, object: KubeObject, signal: AbortSignal): Promise<KubeObject | undefined> {
    this.#mayWrite();
    const path = withQuery(collectionPath(type, object.metadata.namespace), { fieldManager: 'sealedvault' });
    try {
      const call = {
        verb: 'create',
        resource: type.plural,
        method: 'POST',
        path,
        body: object,
        signal,
      } as const;
      return (await this.#connection.request(call)) as KubeObject;
    } catch (error: unknown) {
      if (statusOf(error) === 409 && reasonOf(error) === 'AlreadyExists') return undefined;
      throw error;
    }
  }

  async patchMetadata(
    type: ResourceType,
    key: ObjectKey,
    metadata: object,
    signal: AbortSignal,
  ): Promise<void> {
    this.#mayWrite();
    await this.#connection.request({
      verb: 'patch',
      resource: type.plural,
      method: 'PATCH',
      path: withQuery(objectPath(type, key), { fieldManager: 'sealedvault' }),
      body: { metadata },
      contentType: 'application/merge-patch+json',
      accept: METADATA,
      signal,
    });
  }

  /** Deletes an object if it still is the one that is meant; one that is gone is fine. */
  async delete(
    type: ResourceType,
    key: ObjectKey,
    options: { readonly uid?: string },
    signal: AbortSignal,
  ): Promise<void> {
    this.#mayWrite();
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: 'Background',
      ...(options.uid === undefined ? {} : { preconditions: { uid: options.uid } }),
    };
    try {
      await this.#connection.request({
        verb: 'delete',
        resource: type.plural,
        method: 'DELETE',
        path: objectPath(type, key),
        body,
        accept: METADATA,
        signal,
      });
    } catch (error: unknown) {
      const status = statusOf(error);
      // 409 with a uid: another object bears the name now.
      if (status === 404 || (status === 409 && options.uid !== undefined)) return;
      throw error;
    }
  }

  async #read(
    type: ResourceType,
    key: ObjectKey,
    accept: string,
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    try {
      const path = objectPath(type, key);
      const call = { verb: 'get', resource: type.plural, method: 'GET', path, accept, signal } as const;
      return (await this.#connection.request(call)) as KubeObject;
    } catch (error: unknown) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }
}

function reasonOf(error: unknown): unknown {
  return error instanceof Error ? Reflect.get(error, 'reason') : undefined;
}
