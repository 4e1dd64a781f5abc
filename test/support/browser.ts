import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './cluster/command.ts';

/** A request that a page made. */
export interface PageRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Event {
  readonly method: string;
  readonly sessionId?: string;
  readonly params: any;
}

/** Chromium, headless, driven by its own protocol. */
export class Browser {
  readonly #process: ChildProcess;
  readonly #dir: string;
  readonly #connection: Connection;

  private constructor(child: ChildProcess, dir: string, connection: Connection) {
    this.#process = child;
    this.#dir = dir;
    this.#connection = connection;
  }

  static async start(): Promise<Browser> {
    const dir = mkdtempSync(join(tmpdir(), 'sealedvault-chromium-'));
    const child = spawn(
      'chromium',
      [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--hide-scrollbars',
        '--disable-dev-shm-usage',
        '--no-first-run',
        '--ignore-certificate-errors',
        '--remote-debugging-port=0',
        `--user-data-dir=${dir}`,
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const url = await until('Chromium listens', 30_000, () => /DevTools listening on (\S+)/.exec(said)?.[1]);
    return new Browser(child, dir, await Connection.open(url));
  }

  async page(url: string): Promise<Page> {
    const { targetId } = await this.#connection.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.#connection.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this.#connection, sessionId);
    await page.open(url);
    return page;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#connection.close();
    this.#process.kill();
    await ended;
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** One page, with everything that it asked for and said on its console. */
export class Page {
  readonly requests: PageRequest[] = [];
  readonly console: string[] = [];
  readonly #connection: Connection;
  readonly #session: string;

  constructor(connection: Connection, session: string) {
    this.#connection = connection;
    this.#session = session;
    connection.listen(session, ({ method, params }) => {
      if (method === 'Network.requestWillBeSent') {
        const { request } = params;
        const { method: verb, url, headers, postData = '' } = request;
        this.requests.push({ method: verb, url, headers, body: postData });
      }
      if (method === 'Runtime.consoleAPICalled')
        this.console.push(params.args.map((each: any) => String(each.value ?? each.description)).join(' '));
      if (method === 'Runtime.exceptionThrown')
        this.console.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
      if (method === 'Log.entryAdded') this.console.push(`${params.entry.source}: ${params.entry.text}`);
    });
  }

  async open(url: string): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Network', 'Log', 'DOM', 'Accessibility'])
      await this.send(`${domain}.enable`);
    await this.send('Page.navigate', { url });
    await until('the page is loaded', 20_000, async () =>
      (await this.evaluate('document.readyState')) === 'complete' ? true : undefined,
    );
  }

  send(method: string, params: object = {}): Promise<any> {
    return this.#connection.send(method, params, this.#session);
  }

  /** The value of an expression, promises waited for. */
  async evaluate(expression: string): Promise<any> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  text(selector: string): Promise<string> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`);
  }

  /** Waits until an element has a text. */
  see(selector: string, wanted: RegExp): Promise<string> {
    return until(`${selector} shows ${wanted}`, 20_000, async () => {
      const text = await this.text(selector);
      return wanted.test(text) ? text : undefined;
    });
  }

  /** Puts text where the focus is, as a paste does. */
  async fill(selector: string, text: string): Promise<void> {
    await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).focus()`);
    await this.evaluate('document.activeElement.select?.()');
    await this.send('Input.insertText', { text });
  }

  /** Presses a key of the keyboard. */
  async press(key: 'Tab' | 'Enter' | ' ' | 'ArrowDown' | 'ArrowRight', modifiers = 0): Promise<void> {
    const code = { Tab: 9, Enter: 13, ' ': 32, ArrowDown: 40, ArrowRight: 39 }[key];
    const text = key === 'Enter' ? '\r' : key === ' ' ? ' ' : undefined;
    const both = { key, code: key === ' ' ? 'Space' : key, windowsVirtualKeyCode: code, modifiers };
    await this.send('Input.dispatchKeyEvent', {
      type: text === undefined ? 'rawKeyDown' : 'keyDown',
      ...both,
      ...(text === undefined ? {} : { text }),
    });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...both });
  }

  async size(width: number, height: number, dark = false, scale = 1): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: scale,
      mobile: false,
    });
    const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
    await this.send('Emulation.setEmulatedMedia', { features });
  }

  async screenshot(file: string): Promise<void> {
    const { data } = await this.send('Page.captureScreenshot', {
      format: 'png',
      captureBeyondViewport: true,
    });
    writeFileSync(file, Buffer.from(data, 'base64'));
  }
}

class Connection {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<
    number,
    { readonly resolve: (value: any) => void; readonly reject: (error: Error) => void }
  >();
  readonly #listeners = new Map<string, (event: Event) => void>();
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#take(JSON.parse(String(data))));
    socket.addEventListener('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Chromium is gone'));
    });
  }

  static open(url: string): Promise<Connection> {
    const socket = new WebSocket(url);
    return new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve(new Connection(socket)));
      socket.addEventListener('error', () => reject(new Error('Chromium does not answer')));
    });
  }

  listen(session: string, listener: (event: Event) => void): void {
    this.#listeners.set(session, listener);
  }

  send(method: string, params: object, sessionId?: string): Promise<any> {
    this.#last += 1;
    const id = this.#last;
    const sent = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.send(
      JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }),
    );
    return sent;
  }

  close(): void {
    this.#socket.close();
  }

  #take(message: any): void {
    if (message.id === undefined) {
      this.#listeners.get(message.sessionId ?? '')?.(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error === undefined) waiting?.resolve(message.result);
    else waiting?.reject(new Error(message.error.message));
  }
}
