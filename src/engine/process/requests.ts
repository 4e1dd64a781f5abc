import type { JsonObject } from '../../lib/json.ts';

interface InFlight {
  readonly id: string;
  readonly path: string;
  readonly method: string;
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly start: number;
}

/** The requests that are being served now. Paths only: never a query, a body or a token. */
export class RequestsInFlight {
  readonly #requests = new Set<InFlight>();

  get size(): number {
    return this.#requests.size;
  }

  add(request: InFlight): void {
    this.#requests.add(request);
  }

  delete(request: InFlight): void {
    this.#requests.delete(request);
  }

  describe(): JsonObject {
    return Object.fromEntries(
      [...this.#requests].map(({ id, path, method, address, start }) => [
        id,
        {
          start_time: new Date(start).toISOString(),
          client_remote_address: address,
          request_path: `/v1/${path}`,
          request_method: method,
        },
      ]),
    );
  }
}
