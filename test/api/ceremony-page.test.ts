import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unarmor } from 'openpgp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/ceremony/canonical.ts';
import { armorMessage } from '../../src/ceremony/pgp.ts';
import { until } from '../support/cluster/command.ts';
import { Gnupg } from '../support/gnupg.ts';
import { Browser, type Page } from '../support/browser.ts';
import { makeToken, SOFTHSM, type TestToken } from '../seal/support.ts';
import { TestEngine } from './support/engine.ts';
import { asOperator, operatorConfig } from './support/operator.ts';

const dir = mkdtempSync(join(tmpdir(), 'sealedvault-page-'));
/** Where to leave screenshots for a person to look at. */
const pictures = process.env['SEALEDVAULT_PICTURES'] ?? dir;
const passphrase = 'canary passphrase of ada';
const digest = digestOf('a plan');
const gnupg = new Gnupg();
const messages: Record<string, string> = {};
const shares: Record<string, string> = {};
let engine: TestEngine;
let fixed: object;
let next: TestToken;
let browser: Browser;
let page: Page;

const operator = (method: string, path: string, body?: object): ReturnType<typeof asOperator> =>
  asOperator(engine.addresses[1] ?? '', method, path, body);
const armored = (base64: string): string => armorMessage(Buffer.from(base64, 'base64'));
const url = (): string => `https://${engine.addresses[1]}/ui/ceremony/`;

const unarmored = async (text: string): Promise<Uint8Array> => (await unarmor(text)).data as Uint8Array;

async function start(id: string, plan: object): Promise<void> {
  const { status, body } = await operator('PUT', `sys/ceremony/${id}`, {
    ceremony: { namespace: 'vaults', name: id },
    digest: digest,
    ...plan,
  });
  expect({ status, body }).toMatchObject({ status: 200, body: { state: 'collecting' } });
}

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  gnupg.generate('ada', passphrase);
  gnupg.generate('grace', '', ['rsa3072', 'rsa3072']);
  gnupg.generate('edith', '', ['nistp256', 'nistp256']);
  engine = await TestEngine.start({ ...operatorConfig(dir), ui: true });
  // The page stays open over a restart, so the engine has to come back where it was.
  const port = engine.addresses[1]?.split(':')[1] ?? '';
  const config = JSON.stringify(operatorConfig(dir)).replace(
    '"address":"127.0.0.1:0","tls_cert_file"',
    `"address":"127.0.0.1:${port}","tls_cert_file"`,
  );
  fixed = { ...JSON.parse(config), ui: true };
  await engine.reconfigure(fixed);
  expect(engine.addresses[1]).toBe(`127.0.0.1:${port}`);
  const names = ['ada', 'grace', 'edith'];
  const { status, body } = await operator('PUT', 'sys/init', {
    recovery_shares: 3,
    recovery_threshold: 2,
    recovery_pgp_keys: names.map((name) => gnupg.publicKey(name)),
    recovery_custodians: names,
    omit_root_token: true,
    ceremony_id: 'first',
  });
  expect(status).toBe(200);
  for (const [index, name] of names.entries()) {
    messages[name] = armored(body.recovery_keys_base64[index]);
    shares[name] = gnupg.decrypt(messages[name], name === 'ada' ? passphrase : '').trim();
  }
  browser = await Browser.start();
});

afterAll(async () => {
  const log = engine.logLines.join('');
  for (const canary of [...Object.values(shares), passphrase, 'PRIVATE KEY'])
    expect(log).not.toContain(canary);
  await browser?.close();
  await engine?.stop();
  next?.[Symbol.dispose]();
  gnupg.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('the page', () => {
  test('says that there is nothing to do', async () => {
    page = await browser.page(url());
    await page.see('#headline', /No ceremony has begun/);
    expect(await page.evaluate("document.querySelector('#give').hidden")).toBe(true);
  });

  test('shows a ceremony that begins, with what to compare', async () => {
    await start('rotate-1', {
      type: 'rotate-recovery',
      threshold: 2,
      custodians: ['ada', 'grace'].map((name) => ({ name, pgp_key: gnupg.publicKey(name) })),
    });
    await page.see('#headline', /Shares are being given: 0 of 2/);
    const { body } = await engine.call('GET', 'sys/ceremony', undefined, '');
    const bare = async (selector: string): Promise<string> =>
      (await page.text(selector)).replaceAll(/\s+/g, '');
    expect(await bare('#digest')).toBe(digest.slice(7));
    expect(await bare('#nonce')).toBe(body.nonce.replaceAll('-', ''));
    expect(await page.text('#people')).toMatch(/ada\s+not yet\s+grace\s+not yet\s+edith\s+not yet/);
  });

  test('has a name for every control, and one order of focus that does not end in a trap', async () => {
    const { nodes } = await page.send('Accessibility.getFullAXTree');
    const controls = nodes.filter((node: any) =>
      ['textbox', 'button', 'checkbox', 'radio', 'combobox', 'progressbar', 'link'].includes(
        node.role?.value,
      ),
    );
    expect(controls.length).toBeGreaterThan(8);
    for (const node of controls) expect(node.name?.value, JSON.stringify(node.role)).toMatch(/\w/);
    const headings = nodes.filter((node: any) => node.role?.value === 'heading');
    expect(headings.length).toBeGreaterThanOrEqual(5);
    const ids = await page.evaluate("[...document.querySelectorAll('[id]')].map(({ id }) => id)");
    expect(new Set(ids).size).toBe(ids.length);
    await page.evaluate('document.activeElement.blur()');
    const seen: string[] = [];
    for (let step = 0; step < 16; step += 1) {
      await page.press('Tab');
      seen.push(await page.evaluate('document.activeElement.id || document.activeElement.className'));
    }
    expect(seen.slice(0, 9)).toEqual([
      'skip',
      'way-browser',
      'message',
      'message-file',
      'key',
      'key-file',
      'passphrase',
      'compared',
      'send',
    ]);
    expect(seen.slice(9)).toContain('skip');
  });

  test.each([
    [360, 780, false, 1],
    [360, 780, true, 1],
    [3840, 2160, false, 1],
    [3840, 2160, true, 1],
    [1280, 1000, false, 1],
  ])('fits into %d by %d (dark: %s), with contrast enough', async (width, height, dark, scale) => {
    await page.size(width, height, dark, scale);
    await page.evaluate('scrollTo(0, 0)');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    expect(await page.evaluate(`(${outside})()`)).toEqual([]);
    expect(await page.evaluate(`(${lowContrast})()`)).toEqual([]);
    await page.screenshot(join(pictures, `collecting-${width}${dark ? '-dark' : ''}.png`));
  });

  test('refuses what is not ready, and takes the person to it', async () => {
    await page.size(1280, 1000);
    await page.evaluate("document.querySelector('#send').click()");
    await page.see('#outcome', /Compare with the others first/);
    expect(await page.evaluate('document.activeElement.id')).toBe('compared');
    await page.press(' ');
    await page.evaluate("document.querySelector('#send').click()");
    await page.see('#outcome', /Paste or drop your encrypted share/);
    expect(await page.evaluate('document.activeElement.id')).toBe('message');
  });

  test('says what is wrong with a passphrase or a key, and sends nothing', async () => {
    const before = page.requests.filter(({ method }) => method === 'POST').length;
    await page.fill('#message', messages['ada'] ?? '');
    await page.fill('#key', gnupg.secretKey('ada', passphrase));
    await page.fill('#passphrase', 'wrong');
    await page.evaluate("document.querySelector('#send').click()");
    await page.see('#outcome', /passphrase does not open/);
    await page.fill('#key', gnupg.secretKey('grace'));
    await page.evaluate("document.querySelector('#send').click()");
    await page.see('#outcome', /does not decrypt this share/);
    await page.fill('#key', 'no key');
    await page.evaluate("document.querySelector('#send').click()");
    await page.see('#outcome', /secret key cannot be read/);
    expect(page.requests.filter(({ method }) => method === 'POST')).toHaveLength(before);
  });

  test('takes a share that is dropped as a file, armored or binary', async () => {
    const binary = [...Buffer.from(await unarmored(messages['ada'] ?? ''))];
    const drop = (parts: string): string => `(() => {
      const data = new DataTransfer();
      data.items.add(new File([${parts}], 'share'));
      const zone = document.querySelector('.drop[data-for=message]');
      document.querySelector('#message').value = '';
      zone.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    })()`;
    const value = "document.querySelector('#message').value";
    await page.evaluate(drop(`new Uint8Array(${JSON.stringify(binary)})`));
    expect(
      await until('the file is read', 5_000, async () => (await page.evaluate(value)) || undefined),
    ).toBe(Buffer.from(binary).toString('base64'));
    await page.evaluate(drop(JSON.stringify(messages['ada'])));
    const text = await until(
      'the file is read',
      5_000,
      async () => (await page.evaluate(value)) || undefined,
    );
    expect(text).toBe(messages['ada']);
  });

  test('decrypts a share in the browser, by keyboard alone, and gives it', async () => {
    await page.fill('#key', gnupg.secretKey('ada', passphrase));
    await page.fill('#passphrase', passphrase);
    await page.press('Enter');
    await page.see('#outcome', /Your share was taken\. 1 of 2/);
    expect(await page.text('#people')).toMatch(/ada\s+has given\s+grace\s+not yet/);
    expect(
      await page.evaluate(
        "['key','passphrase','share','message'].map((id) => document.getElementById(id).value)",
      ),
    ).toEqual(['', '', '', '']);
    expect(await page.evaluate("document.querySelector('#compared').checked")).toBe(false);
    await page.evaluate('document.activeElement.blur()');
    await page.evaluate("document.querySelector('#outcome').textContent = ''");
    for (const width of [360, 3840]) {
      await page.size(width, width === 360 ? 780 : 2160, width === 3840);
      await page.screenshot(join(pictures, `given-${width}.png`));
    }
    await page.size(1280, 1000);
  });

  test('shows the refusal of a share that was given already', async () => {
    await page.evaluate("document.querySelector('#compared').click()");
    await page.evaluate("document.querySelector('#way-gpg').click()");
    await page.fill('#share', shares['ada'] ?? '');
    await page.evaluate("document.querySelector('#send').click()");
    await page.see('#outcome', /refused: this share has already been given/);
  });

  test('asks to compare again when the engine was restarted, and has forgotten the shares', async () => {
    await page.evaluate("document.querySelector('#compared').checked = true");
    const { tokens } = engine.token;
    renameSync(tokens, `${tokens}-gone`);
    await engine.reboot();
    // Whatever is seen between: what was compared belongs to the nonce of before.
    await page.see('#headline', /The vault is sealed/);
    renameSync(`${tokens}-gone`, tokens);
    await engine.active();
    await page.see('#outcome', /has another nonce: compare again/);
    await page.see('#headline', /0 of 2/);
    expect(await page.evaluate("document.querySelector('#compared').checked")).toBe(false);
    const { body } = await engine.call('GET', 'sys/ceremony', undefined, '');
    expect((await page.text('#nonce')).replaceAll(/\s+/g, '')).toBe(body.nonce.replaceAll('-', ''));
  });

  test('forgets what was typed when the ceremony ends, and shows the next one', async () => {
    await page.fill('#share', shares['ada'] ?? '');
    await page.evaluate("document.querySelector('#compared').checked = true");
    await operator('DELETE', 'sys/ceremony/rotate-1');
    await page.see('#headline', /was cancelled/);
    expect(await page.evaluate("document.querySelector('#share').value")).toBe('');
    await start('rotate-2', {
      type: 'rotate-recovery',
      threshold: 2,
      custodians: ['ada', 'grace'].map((name) => ({ name, pgp_key: gnupg.publicKey(name) })),
    });
    await page.see('#headline', /0 of 2/);
    expect(await page.evaluate("document.querySelector('#compared').checked")).toBe(false);
  });

  test('takes what gpg printed', async () => {
    for (const name of ['grace', 'edith']) {
      await page.evaluate("document.querySelector('#compared').checked = true");
      await page.fill('#share', `${shares[name]}`);
      await page.evaluate("document.querySelector('#send').click()");
      await page.see('#outcome', name === 'grace' ? /taken\. 1 of 2/ : /last one that was needed/);
    }
    await page.see('#headline', /New shares are being proved: 0 of 2/);
    await page.screenshot(join(pictures, 'proving-1280.png'));
  });

  test('proves new shares with what the engine accepts, without sending them', async () => {
    const { body } = await operator('GET', 'sys/ceremony/rotate-2/messages');
    await page.evaluate("document.querySelector('#way-browser').click()");
    for (const name of ['ada', 'grace']) {
      await page.see('#custodian', new RegExp(name));
      await page.evaluate(`document.querySelector('#custodian').value = '${name}'`);
      await page.evaluate("document.querySelector('#compared').checked = true");
      const secret = name === 'ada' ? passphrase : '';
      shares[`new ${name}`] = gnupg.decrypt(Buffer.from(body.shares[name], 'base64'), secret).trim();
      await page.fill('#message', armored(body.shares[name]));
      await page.fill('#key', gnupg.secretKey(name, secret));
      await page.fill('#passphrase', secret);
      await page.evaluate("document.querySelector('#send').click()");
      await page.see('#outcome', /Your proof was accepted/);
      await page.evaluate("document.querySelector('#outcome').textContent = ''");
    }
    await page.see('#headline', /The new shares are in force/);
    await page.screenshot(join(pictures, 'done-1280.png'));
  });

  test('sent a share in the body of submit only, and no key and no passphrase at all', async () => {
    const given = ['ada', 'grace', 'edith'].map((name) => shares[name] ?? '');
    const never = [
      shares['new ada'] ?? '',
      shares['new grace'] ?? '',
      passphrase,
      'PRIVATE KEY',
      'PGP MESSAGE',
    ];
    for (const { method, url: asked, headers, body } of page.requests) {
      const around = `${asked} ${JSON.stringify(headers)}`;
      for (const secret of [...given, ...never]) expect(around).not.toContain(secret);
      for (const secret of never) expect(body).not.toContain(secret);
      if (!asked.endsWith('/submit')) for (const secret of given) expect(body).not.toContain(secret);
      expect(new URL(asked).host).toBe(engine.addresses[1]);
      if (method === 'POST') expect(asked).toMatch(/\/v1\/sys\/ceremony\/rotate-[12]\/(?:submit|prove)$/);
    }
    expect(
      page.requests.some(
        ({ url: asked, body }) => asked.endsWith('/submit') && body.includes(given[0] ?? 'x'),
      ),
    ).toBe(true);
    const left = await page.evaluate(
      '(async () => JSON.stringify([location.href, document.cookie, { ...localStorage }, { ...sessionStorage }, (await indexedDB.databases()).length, (await caches.keys()).length, history.length]))()',
    );
    expect(JSON.parse(left)).toEqual([url(), '', {}, {}, 0, 0, expect.any(Number)]);
    expect(await page.evaluate('document.documentElement.outerHTML')).not.toContain('PRIVATE KEY BLOCK-----');
  });

  test('tells of a vault that is moved to another HSM, and takes the shares for it', async () => {
    const block = (token: TestToken, more: object): object => ({
      pkcs11: { lib: SOFTHSM, token_label: token.label, key_label: 'root', generate_key: 'true', ...more },
    });
    next = makeToken('canary-next-pin', 'next');
    const seal = [block(next, { name: 'next' }), block(engine.token, { name: 'old', disabled: 'true' })];
    await engine.reconfigure(
      { ...fixed, migrate_by_ceremony: true, seal },
      { SOFTHSM2_CONF_next: next.conf, VAULT_HSM_PIN_next: next.pin },
    );
    await engine.active();
    await start('move', { type: 'seal-migration' });
    await page.see('#purpose', /from key “root” \(id [0-9a-f]+\) to key “root” \(id [0-9a-f]+\)/);
    await page.see('#headline', /0 of 2/);
    await page.screenshot(join(pictures, 'migration-1280.png'));
    await page.evaluate("document.querySelector('#way-gpg').click()");
    for (const name of ['ada', 'grace']) {
      await page.evaluate("document.querySelector('#compared').checked = true");
      await page.fill('#share', shares[`new ${name}`] ?? '');
      await page.evaluate("document.querySelector('#send').click()");
      await page.see('#outcome', name === 'ada' ? /taken\. 1 of 2/ : /last one that was needed/);
    }
    await page.see('#headline', /The vault is under its new HSM/);
    await page.screenshot(join(pictures, 'migrated-1280.png'));
  });

  test('said nothing on the console, and broke no rule of its policy', () => {
    expect(
      page.console.filter((line) => !/status of (?:404|400|503)|ERR_CONNECTION_REFUSED/.test(line)),
    ).toEqual([]);
  });
});

/** Runs in the page: what reaches into the margin on the right. */
const outside = `() => [...document.querySelectorAll('main *')]
  .filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > innerWidth - 8)
  .map((each) => each.id || each.tagName)`;

/** Runs in the page: texts whose contrast with what is behind them is below 4.5 (WCAG 2.2 §1.4.3). */
const lowContrast = `() => {
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => { const s = v / 255; return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (let at = node; at !== null; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll('h1,h2,h3,p,label,legend,button,dt,dd,span,textarea,input,code')) {
    if (node.checkVisibility() === false || (node.innerText ?? '').trim() === '') continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(node.id + ' ' + node.innerText.slice(0, 20) + ' ' + ratio.toFixed(2));
  }
  return found;
}`;
