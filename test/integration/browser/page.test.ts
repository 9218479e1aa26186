import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import puppeteer, { type Browser, type Page, type Viewport } from 'puppeteer-core';
import type { StatusReport } from '../../../src/status/report.ts';
import { MIXED, type Sample, sampleReport } from '../../support/sample-report.ts';

const CHROMIUM = process.env.CHROMIUM ?? 'chromium';
const PHONE: Viewport = { width: 390, height: 844, deviceScaleFactor: 3, isMobile: true, hasTouch: true };
const DESKTOP: Viewport = { width: 1280, height: 900 };

interface Tab {
  readonly page: Page;
  /** Errors and warnings on the console, and what the content security policy has stopped. */
  readonly complaints: string[];
  /** All that was asked for but the page itself. */
  readonly requests: string[];
}

describe('the page of a status, in Chromium', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'page-'));
  let browser: Browser;
  let pageOf: (report: StatusReport) => string;
  let written = 0;

  before(async function () {
    const found = spawnSync('/bin/sh', ['-c', 'command -v "$0"', CHROMIUM], { encoding: 'utf8' }).stdout.trim();
    if (found === '') {
      process.stderr.write(`    SKIPPED: ${CHROMIUM} is not there; install chromium or set CHROMIUM\n`);
      this.skip();
    }
    // As root, as in most containers, Chromium refuses to start with its sandbox.
    const args = ['--disable-dev-shm-usage', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];
    browser = await puppeteer.launch({ executablePath: found, args });
    // As it is shipped, with the style that the build has copied.
    const built = resolve(import.meta.dirname, '../../../dist/status/page/page.js');
    ({ statusPage: pageOf } = (await import(built)) as { statusPage: typeof pageOf });
  });

  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function show(sample: Sample, screen: Viewport, theme = 'light'): Promise<Tab> {
    const file = join(folder, `${++written}.html`);
    writeFileSync(file, pageOf(sampleReport(sample)));
    const page = await browser.newPage();
    const tab: Tab = { page, complaints: [], requests: [] };
    page.on('console', (message) => tab.complaints.push(message.text()));
    page.on('pageerror', (error) => tab.complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.isNavigationRequest()) tab.requests.push(request.url());
    });
    await page.setViewport(screen);
    await setTheme(page, theme);
    await page.goto(pathToFileURL(file).href);
    return tab;
  }
  const setTheme = (page: Page, theme: string) =>
    page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
  const isQuiet = ({ complaints, requests }: Tab) => expect([complaints, requests]).to.deep.equal([[], []]);
  /** `code` is an expression: the program's types know no browser. */
  const look = <T>({ page }: Tab, code: string) => page.evaluate(code) as Promise<T>;

  const overflow = (tab: Tab) =>
    look<string[]>(
      tab,
      `[...document.body.querySelectorAll('*')]
        .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 0.5)
        .map((element) => element.outerHTML.slice(0, 80))
        .concat(document.documentElement.scrollWidth > innerWidth ? ['the page itself'] : [])`,
    );
  const background = (tab: Tab, selector: string) =>
    look<string>(tab, `getComputedStyle(document.querySelector('${selector}')).backgroundColor`);

  /** What stands in the tip, and whether all of it can be seen, once the browser has placed it. */
  const tip = async (tab: Tab) => {
    await look(tab, 'new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');
    return look<{ text: string; inView: boolean }[]>(
      tab,
      `[...document.querySelectorAll('.hours td span')]
        .filter((span) => getComputedStyle(span).clipPath === 'none')
        .map((span) => {
          const { left, top, right, bottom } = span.getBoundingClientRect();
          return { text: span.innerText, inView: left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight };
        })`,
    );
  };
  const cellOf = async ({ page }: Tab, hour: string) => {
    const cell = await page.$(`xpath///td[starts-with(., "${hour}:")]`);
    if (cell === null) throw new Error(`no cell of ${hour}`);
    return cell;
  };

  /** Pairs of ink and ground whose contrast (WCAG) is less than `least`. */
  const faint = (tab: Tab, selectors: readonly string[], least: number) =>
    look<string[]>(
      tab,
      `(() => {
        const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
        const luminance = (colour) => {
          context.fillStyle = colour;
          context.fillRect(0, 0, 1, 1);
          const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((part) => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const groundOf = (element) => {
          const { backgroundColor } = getComputedStyle(element);
          return backgroundColor === 'rgba(0, 0, 0, 0)' ? groundOf(element.parentElement) : backgroundColor;
        };
        return ${JSON.stringify(selectors)}.flatMap((selector) => {
          const element = document.querySelector(selector);
          const { color, fill } = getComputedStyle(element);
          const inks = [element.closest('svg') === null ? color : fill, groundOf(element)].map(luminance);
          const contrast = (Math.max(...inks) + 0.05) / (Math.min(...inks) + 0.05);
          return contrast < ${least} ? [selector + ': ' + contrast.toFixed(2)] : [];
        });
      })()`,
    );

  for (const [device, screen] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    for (const theme of ['light', 'dark'] as const) {
      describe(`${device}, ${theme}`, () => {
        let tab: Tab;
        before(async () => {
          tab = await show(MIXED, screen, theme);
        });
        after(() => isQuiet(tab));

        it('opens without a complaint, and asks the network for nothing', () => isQuiet(tab));

        it('fits the width', async () => {
          expect(await overflow(tab)).to.deep.equal([]);
          await look(tab, 'document.querySelector("details").open = true');
          expect(await overflow(tab)).to.deep.equal([]);
        });

        it('has the theme, with text and signs that stand out', async () => {
          expect(await background(tab, 'body')).to.equal(theme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(17, 21, 26)');
          const texts = ['h1', 'p', '.note', 'dt', 'dd', 'a', '.command span', 'small', '.warnings li', '.hours th'];
          expect(await faint(tab, [...texts, '.line text', '.days td', '.days .more td'], 4.5)).to.deep.equal([]);
          const signs = ['empty', 'missing', 'pending', 'unproved', 'shrunk', 'unreadable'].map(
            (state) => `.hours .${state}`,
          );
          expect(await faint(tab, signs, 3)).to.deep.equal([]);
        });

        it('tells states apart by colour and by sign', async () => {
          const looks = await look<[string, string, string][]>(
            tab,
            `['s1:not(.unsettled)', 's3:not(.unsettled)', 's5:not(.unsettled)', 'unsettled',
              'missing', 'shrunk', 'unreadable', 'empty', 'pending'].map((name) => {
              const cell = document.querySelector('.hours .' + name);
              const { backgroundColor, backgroundImage } = getComputedStyle(cell);
              return [backgroundColor, backgroundImage, getComputedStyle(cell, '::before').content];
            })`,
          );
          expect(new Set(looks.map((parts) => parts.join()))).to.have.length(looks.length);
          const signs = looks.map(([, image, sign]) => `${image} ${sign}`);
          expect(new Set(signs)).to.have.length(looks.length - 2);
        });

        it('draws the line, and breaks it on another ground where hours are missing', async () => {
          const drawn = await look<{ strokes: number[]; bands: number[]; fits: boolean }>(
            tab,
            `(() => {
              const widths = (selector) => [...document.querySelectorAll(selector)].map((e) => e.getBoundingClientRect().width);
              const { left, right } = document.querySelector('.line').getBoundingClientRect();
              return { strokes: widths('.line .stroke'), bands: widths('.line rect'), fits: left >= 0 && right <= innerWidth };
            })()`,
          );
          expect(drawn.fits).to.equal(true);
          expect(drawn.strokes).to.have.length(5);
          expect(Math.max(...drawn.strokes)).to.be.above(screen.width * 0.3);
          expect(drawn.bands).to.have.length(3);
          for (const width of drawn.bands) expect(width).to.be.above(0.3);
          expect(await look(tab, `getComputedStyle(document.querySelector('.line rect')).fill`)).not.to.equal(
            await look(tab, `getComputedStyle(document.querySelector('.line .area')).fill`),
          );
        });

        it('tells about the hour that is pointed at or tapped, in full view', async () => {
          for (const [hour, words] of [
            ['2026-11-20T03', ['missing']],
            ['2026-11-12T15', ['shrunk', ' events, 2 objects, ', 'asked again: ', 'sealed 2026-11-13 18:10 UTC']],
            ['2026-11-09T23', ['complete', ' MB']],
            ['2026-10-31T00', ['empty']],
          ] as const) {
            const cell = await cellOf(tab, hour);
            await (screen.hasTouch === true ? cell.tap() : cell.hover());
            const [told, ...others] = await tip(tab);
            expect(others).to.deep.equal([]);
            expect(told?.inView).to.equal(true);
            for (const word of [hour, ...words]) expect(told?.text).to.include(word);
          }
        });
      });
    }
  }

  it('is walked by keyboard, hour by hour, and left by one key', async () => {
    const tab = await show(MIXED, DESKTOP);
    const { page } = tab;
    const focused = () => look<string>(tab, 'document.activeElement.innerText.split("\\n")[0]');
    for (let i = 0; (await focused()) !== 'Skip the hours'; i++) {
      expect(i).to.be.below(10);
      await page.keyboard.press('Tab');
    }
    expect(await look(tab, 'document.activeElement.getBoundingClientRect().width')).to.be.above(50);
    for (const hour of ['2026-11-22T00: unsettled', '2026-11-22T01: unsettled', '2026-11-22T02: unsettled']) {
      await page.keyboard.press('Tab');
      expect(await focused()).to.equal(hour);
      const [told, ...others] = await tip(tab);
      expect([told?.text.split('\n')[0], told?.inView, others]).to.deep.equal([hour, true, []]);
    }
    const last = await cellOf(tab, '2026-10-23T23');
    await last.focus();
    const [told] = await tip(tab);
    expect(told?.inView).to.equal(true);
    await (await page.$('.skip'))?.focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await focused()).to.equal('Table of 31 days');
    isQuiet(tab);
  });

  it('is read by a screen reader: tables with a name, cells below their hour and beside their day', async () => {
    const tab = await show(MIXED, PHONE);
    const session = await tab.page.createCDPSession();
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const names = (role: string) =>
      nodes.filter((node) => !node.ignored && node.role?.value === role).map((node) => String(node.name?.value));
    expect(names('heading')).to.include.members([
      '16 hours are missing',
      'Events per hour',
      'Hours',
      'Gaps',
      'Problems',
    ]);
    expect(names('table')[0]).to.match(/^November 2026 ?: 460 complete, 6 empty, 16 missing/);
    expect(names('columnheader').slice(0, 24).join()).to.match(/^00,01,.*,23$/);
    expect(names('rowheader')).to.include.members(['Sun 22', 'Sat 21', 'Fri 20']);
    const cells = names('cell').filter((name) => name.startsWith('20'));
    expect(cells).to.have.length(720);
    expect(cells).to.include.members(['2026-11-20T03: missing', '2026-11-22T08: pending']);
    expect(cells.find((name) => name.startsWith('2026-11-19T13'))).to.match(/: complete [\d,]+ events, 2 objects, /);
    expect(names('image')).to.include('Events per hour as a line. The table of days has the sums.');
  });

  it('selects a whole command by one click', async () => {
    const tab = await show(MIXED, DESKTOP);
    const commands = await tab.page.$$('#gaps li .command');
    const { gaps } = sampleReport(MIXED);
    expect(commands).to.have.length(gaps.length);
    for (const [i, gap] of gaps.toReversed().entries()) {
      await commands[i]?.click();
      expect((await look<string>(tab, 'getSelection().toString()')).trim()).to.equal(gap.command);
    }
  });

  it('changes with the theme while it is open', async () => {
    const tab = await show(MIXED, DESKTOP);
    const colours = () => Promise.all(['body', '.s1', '.s5', '.missing'].map((name) => background(tab, name)));
    const light = await colours();
    await setTheme(tab.page, 'dark');
    for (const [i, colour] of (await colours()).entries()) expect(colour).not.to.equal(light[i]);
    await setTheme(tab.page, 'light');
    expect(await colours()).to.deep.equal(light);
  });

  it('is printed light from a dark screen, with the colours of the hours', async () => {
    const tab = await show(MIXED, DESKTOP, 'dark');
    await tab.page.emulateMediaType('print');
    expect(await background(tab, 'body')).to.equal('rgb(255, 255, 255)');
    expect(await look(tab, `getComputedStyle(document.querySelector('.s5')).printColorAdjust`)).to.equal('exact');
    const pdf = Buffer.from(await tab.page.pdf());
    expect(pdf.subarray(0, 5).toString()).to.equal('%PDF-');
    isQuiet(tab);
  });

  for (const [name, sample] of Object.entries({
    'a good month': {},
    'an empty destination': { states: () => 'missing' },
    'one day': { days: 1 },
    'a month without events': { withEvents: false },
    'a long name': {
      destination: `s3://${'a'.repeat(63)}/${'deep-folder/'.repeat(10)}`,
      states: { '2026-11-20T05': 'missing' },
    },
  } satisfies Record<string, Sample>)) {
    it(`fits the smallest phone: ${name}`, async () => {
      const tab = await show(sample, { ...PHONE, width: 320 });
      expect(await overflow(tab)).to.deep.equal([]);
      isQuiet(tab);
    });
  }

  it('holds a year: opens within 5 s, with every month drawn', async () => {
    const started = performance.now();
    const tab = await show({ days: 365, states: (hour) => (hour % 701 === 3 ? 'missing' : undefined) }, PHONE);
    expect(performance.now() - started).to.be.below(5000);
    const heights = await look<number[]>(
      tab,
      `[...document.querySelectorAll('.hours')].map((table) => table.getBoundingClientRect().height)`,
    );
    expect(heights).to.have.length(13);
    expect(heights[1]).to.be.above(500);
    expect(await overflow(tab)).to.deep.equal([]);
    isQuiet(tab);
  });

  it('runs nothing that a name or message brings along', async () => {
    const hostile =
      '</script><script>window.ran = 1</script><img src=x onerror="window.ran = 2"><a href="https://example.com">';
    const states = { '2026-11-20T05': 'unreadable' } as const;
    const sample = { destination: hostile, project: hostile, warnings: [hostile], message: hostile, states };
    const tab = await show(sample, DESKTOP);
    expect(await look(tab, 'window.ran ?? null')).to.equal(null);
    expect(await look(tab, `document.querySelectorAll('bdi').length`)).to.equal(4);
    expect(await look(tab, `document.querySelector('dd bdi').textContent`)).to.equal(hostile);
    isQuiet(tab);
  });

  it('lets its content security policy stop what would get in nevertheless', async () => {
    const tab = await show({}, DESKTOP);
    await look(
      tab,
      `(() => {
        document.body.insertAdjacentHTML('beforeend', '<img src="https://example.com/x.png" onerror="window.ran = 1">');
        document.body.insertAdjacentHTML('beforeend', '<p id="styled" style="color: rgb(1, 2, 3)">text</p>');
        document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 2' }));
      })()`,
    );
    expect(await look(tab, `getComputedStyle(document.getElementById('styled')).color`)).not.to.equal('rgb(1, 2, 3)');
    expect(await look(tab, 'window.ran ?? null')).to.equal(null);
    expect(tab.complaints.join()).to.include('Content Security Policy');
  });
});
