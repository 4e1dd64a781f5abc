import { ensurePrograms } from '../../test/support/cluster/packages.ts';
import type { Report } from '../../test/support/cluster/progress.ts';
import { Browser } from '../../test/support/browser.ts';

/** What a custodian brings to the ceremony page. */
export interface Visit {
  /** Local port that leads to the active pod. */
  readonly port: number;
  /** The encrypted share, armored. */
  readonly message: string;
  /** The custodian's secret key, armored, without a passphrase. It stays in the browser. */
  readonly key: string;
  /** Where a picture of the page goes. */
  readonly picture: string;
}

/**
 * Whether there is a Chromium, or one can be installed.
 * @param report Told when it has to be installed.
 * @returns Whether there is one.
 */
export async function hasBrowser(report: Report): Promise<boolean> {
  try {
    await ensurePrograms(['chromium'], report);
    return true;
  } catch {
    return false;
  }
}

/**
 * Gives a share on the ceremony page, in Chromium, as its holder would.
 * @param visit What they bring.
 * @throws {Error} When the page does not take the share.
 */
export async function giveByPage({ port, message, key, picture }: Visit): Promise<void> {
  const browser = await Browser.start();
  try {
    const page = await browser.page(`https://127.0.0.1:${port}/ui/ceremony/`);
    await page.see('#headline', /1 of 2/);
    await page.fill('#message', message);
    await page.fill('#key', key);
    await page.evaluate("document.querySelector('#compared').click()");
    await page.screenshot(picture);
    await page.evaluate("document.querySelector('#send').click()");
    await page.see('#outcome', /Your share was taken/);
  } finally {
    await browser.close();
  }
}
