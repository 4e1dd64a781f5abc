import type { TestEngine } from './engine.ts';

/** Waits until no tidying runs. @returns what tidy-status says then */
export async function tidied(engine: TestEngine, mount: string): Promise<any> {
  for (;;) {
    const { data } = (await engine.call('GET', `${mount}/tidy-status`)).body;
    if (data.state !== 'Running' && data.state !== 'Cancelling') return data;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
