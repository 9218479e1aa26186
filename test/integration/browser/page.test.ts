import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { StatusReport } from '../../../src/status/report.ts';
import { MIXED, type Sample, sampleReport } from '../../support/sample-report.ts';
import { Chromium, needChromium, type Screen, type Tab } from './chromium.ts';

const PHONE = { width: 390, height: 844, phone: true } as const;
const DESKTOP = { width: 1280, height: 900, phone: false } as const;

/** What the page's own scripts do not have, for looking at what they drew. */
const LOOKING = `
  const canvasOf = (at) => [...document.querySelectorAll('canvas[data-from]')].find(
    ({ dataset }) => at >= Number(dataset.from) && at < Number(dataset.to));
  const cellOf = (at) => {
    const canvas = canvasOf(at);
    const { x, y, width, height } = Chart.getChart(canvas).getDatasetMeta(0).data[at - Number(canvas.dataset.from)];
    return { canvas, x, y, width, height };
  };
  // Of a copy: Chromium complains where a canvas that is drawn on is read often.
  const copies = new Map();
  const copyOf = (canvas) => {
    const { width, height } = canvas;
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    copies.set(canvas, copy);
    return copy;
  };
  const pixel = (canvas, x, y) => {
    const ratio = canvas.width / canvas.clientWidth;
    const copy = copies.get(canvas) ?? copyOf(canvas);
    return [...copy.getImageData(Math.floor(x * ratio), Math.floor(y * ratio), 1, 1).data].join();
  };
  const colour = (name) => {
    const probe = document.createElement('canvas').getContext('2d');
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data].join();
  };`;

describe('the page of a status, in Chromium', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'page-'));
  let chromium: Chromium;
  let pageOf: (report: StatusReport) => Promise<string>;
  let written = 0;

  before(async function () {
    needChromium(this);
    chromium = await Chromium.start();
    // As it is shipped: the page holds the text of compiled functions.
    const built = (await import(resolve(import.meta.dirname, '../../../dist/status/page/page.js'))) as {
      statusPage: typeof pageOf;
    };
    pageOf = built.statusPage;
  });

  after(async () => {
    await chromium?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const show = async (sample: Sample, screen: Screen): Promise<Tab> => {
    const file = join(folder, `${++written}.html`);
    writeFileSync(file, await pageOf(sampleReport(sample)));
    return chromium.open(pathToFileURL(file).href, screen);
  };
  const look = <T>(tab: Tab, expression: string) => tab.evaluate<T>(`(() => {${LOOKING}\nreturn ${expression};})()`);
  const overflow = (tab: Tab) =>
    tab.evaluate<string[]>(`[...document.body.querySelectorAll('*')]
      .filter((element) => element.checkVisibility() && element.closest('.wide canvas, .chart.line') === null)
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
      .map((element) => element.outerHTML.slice(0, 80))
      .concat(document.documentElement.scrollWidth > innerWidth ? ['the page itself'] : [])`);
  const isQuiet = (tab: Tab) => {
    expect(tab.complaints).to.deep.equal([]);
    expect(tab.requests).to.deep.equal([]);
  };
  const report = sampleReport(MIXED);
  const at = (hour: string) => report.hours.findIndex((found) => found.hour === hour);
  const EXAMPLES = {
    missing: at('2026-11-20T03'),
    shrunk: at('2026-11-12T15'),
    unreadable: at('2026-11-09T04'),
    empty: at('2026-11-01T02'),
    pending: at('2026-11-22T08'),
    'shade-1': at('2026-11-19T01'),
    'shade-5': at('2026-11-19T13'),
  };
  const fills = (tab: Tab) =>
    look<Record<string, string>>(
      tab,
      `Object.fromEntries(Object.entries(${JSON.stringify(EXAMPLES)}).map(([name, at]) => {
        const { canvas, x, y } = cellOf(at);
        return [name, pixel(canvas, x + 2.5, y + 2.5)];
      }))`,
    );
  const colours = (tab: Tab) =>
    look<Record<string, string>>(
      tab,
      `Object.fromEntries(${JSON.stringify(Object.keys(EXAMPLES))}.map((name) => [name, colour(name)]))`,
    );

  for (const [device, screen] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    for (const theme of ['light', 'dark'] as const) {
      describe(`${device}, ${theme}`, () => {
        let tab: Tab;
        before(async () => {
          tab = await show(MIXED, { ...screen, theme });
        });
        after(() => isQuiet(tab));

        it('opens without a complaint, and asks the network for nothing', () => isQuiet(tab));

        it('fits the width', async () => {
          expect(await overflow(tab)).to.deep.equal([]);
          await tab.evaluate('document.querySelector("details").open = true');
          expect(await overflow(tab)).to.deep.equal([]);
          await tab.evaluate('document.querySelector("details").open = false');
        });

        it('has the theme', async () => {
          const background = await tab.evaluate('getComputedStyle(document.body).backgroundColor');
          expect(background).to.equal(theme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(17, 21, 26)');
        });

        it('fills the cells in the colours of their states, and marks those that are not complete', async () => {
          expect(await fills(tab)).to.deep.equal(await colours(tab));
          const marked = await look<Record<string, number>>(
            tab,
            `Object.fromEntries(Object.entries(${JSON.stringify({ ...EXAMPLES, unsettled: at('2026-11-21T12') })}).map(([name, at]) => {
              const { canvas, x, y, width, height } = cellOf(at);
              const seen = new Set();
              for (let dx = 3; dx < width - 3; dx += 0.5) {
                for (let dy = 3; dy < height - 3; dy += 0.5) seen.add(pixel(canvas, x + dx, y + dy));
              }
              return [name, seen.size];
            }))`,
          );
          for (const [name, seen] of Object.entries(marked)) {
            if (name.startsWith('shade')) expect(seen, name).to.equal(1);
            else expect(seen, name).to.be.above(1);
          }
        });

        it('draws the line, and breaks it on another ground where hours are missing', async () => {
          const seen = await look<{ line: boolean; band: string; expected: string }>(
            tab,
            `(() => {
              const canvas = document.querySelector('canvas[data-line]');
              const { scales, chartArea, data } = Chart.getChart(canvas);
              const { x, y } = data.datasets[0].data[${at('2026-11-18T12')}];
              const [px, py] = [scales.x.getPixelForValue(x), scales.y.getPixelForValue(y)];
              const around = [];
              for (let dx = -2; dx <= 2; dx += 0.5) for (let dy = -2; dy <= 2; dy += 0.5) around.push(pixel(canvas, px + dx, py + dy));
              const gap = scales.x.getPixelForValue(${at('2026-11-17T00')});
              return { line: around.includes(colour('line')), band: pixel(canvas, gap, chartArea.top + 3), expected: colour('missing-band') };
            })()`,
          );
          expect(seen).to.deep.equal({ line: true, band: seen.expected, expected: seen.expected });
        });

        it('tells about the hour that is pointed at or tapped, in full view', async () => {
          for (const [hour, words] of [
            ['2026-11-20T03', ['Fri 2026-11-20, 03:00 to 04:00 UTC', 'state: missing']],
            [
              '2026-11-12T15',
              ['state: shrunk', 'events: ', 'objects: 2', 'asked again: ', 'sealed: 2026-11-13 18:10:09'],
            ],
            ['2026-11-09T23', ['state: complete', 'size: ']],
          ] as const) {
            const { x, y } = await look<{ x: number; y: number }>(
              tab,
              `(() => {
                const { canvas, x, y, width, height } = cellOf(${at(hour)});
                canvas.scrollIntoView({ block: 'center' });
                const { left, top } = canvas.getBoundingClientRect();
                return { x: left + x + width / 2, y: top + y + height / 2 };
              })()`,
            );
            await tab.settle();
            await tab.point(x, y, screen.phone);
            const tip = await tab.evaluate<{ text: string; inside: boolean }>(`(() => {
              const { left, top, right, bottom } = tip.getBoundingClientRect();
              return { text: tip.hidden ? '' : tip.innerText, inside: left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight };
            })()`);
            for (const word of words) expect(tip.text).to.include(word);
            expect(tip.inside).to.equal(true);
          }
          await tab.evaluate('scrollBy(0, 300)');
          await tab.settle();
          expect(await tab.evaluate('tip.hidden')).to.equal(true);
        });

        it('lists the gaps with commands that can be copied', async () => {
          const gaps = await tab.evaluate<string[]>(
            `[...document.querySelectorAll('.gaps li code')].map((code) => code.textContent)`,
          );
          expect(gaps).to.deep.equal(report.gaps.map(({ command }) => command).reverse());
          const said = await tab.evaluate<{ before: boolean; after: string; selected: string }>(`(async () => {
            const button = document.querySelector('.gaps button');
            const before = button.checkVisibility();
            button.click();
            for (let n = 0; n < 50 && button.textContent === 'Copy'; n++) await new Promise((done) => setTimeout(done, 20));
            return { before, after: button.textContent };
          })()`);
          expect(said.before).to.equal(true);
          expect(said.after).to.match(/^(Copied|Selected)$/);
        });
      });
    }
  }

  it('changes with the theme while it is open', async () => {
    const tab = await show(MIXED, { ...DESKTOP, theme: 'light' });
    const light = await fills(tab);
    await tab.theme('dark');
    await tab.settle();
    const dark = await fills(tab);
    expect(dark).to.deep.equal(await colours(tab));
    for (const name of Object.keys(EXAMPLES)) expect(dark[name], name).not.to.equal(light[name]);
    await tab.theme('light');
    await tab.settle();
    expect(await fills(tab)).to.deep.equal(light);
    isQuiet(tab);
  });

  it('is printed light from a dark screen, and dark again after that', async () => {
    const tab = await show(MIXED, { ...DESKTOP, theme: 'dark' });
    const dark = await fills(tab);
    await tab.evaluate(`addEventListener('afterprint', () => { window.printed = true; });
      addEventListener('beforeprint', () => { window.classWas = document.documentElement.className; });`);
    const { data } = await tab.send('Page.printToPDF', { printBackground: true });
    expect(
      Buffer.from(data as string, 'base64')
        .subarray(0, 5)
        .toString(),
    ).to.equal('%PDF-');
    expect(await tab.evaluate('[window.classWas, window.printed]')).to.deep.equal(['on-paper', true]);
    await tab.settle();
    expect(await fills(tab)).to.deep.equal(dark);
    await tab.evaluate(`dispatchEvent(new Event('beforeprint'))`);
    expect(await fills(tab)).to.deep.equal(await colours(tab));
    expect((await fills(tab)).empty).to.equal('255,255,255,255');
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
      const tab = await show(sample, { ...PHONE, width: 320, theme: 'light' });
      expect(await overflow(tab)).to.deep.equal([]);
      isQuiet(tab);
    });
  }

  it('holds a year: every month is drawn, on canvases that a phone can hold', async () => {
    const states = (hour: number) => (hour % 701 === 3 ? ('missing' as const) : undefined);
    const tab = await show({ days: 365, states }, { ...PHONE, theme: 'light' });
    const canvases = await look<{ area: number; height: number; drawn: boolean }[]>(
      tab,
      `[...document.querySelectorAll('canvas[data-from]')].map((canvas) => {
        const { x, y, width, height } = cellOf(Number(canvas.dataset.from));
        return { area: canvas.width * canvas.height, height: canvas.clientHeight, drawn: pixel(canvas, x + 2.5, y + 2.5) !== '0,0,0,0' };
      })`,
    );
    expect(canvases).to.have.length(13);
    for (const { area, drawn } of canvases) {
      expect(drawn).to.equal(true);
      // Safari on an iPhone draws nothing on a canvas of more.
      expect(area).to.be.below(16_777_216);
    }
    const line = await look<{ area: number; right: boolean; drawn: boolean }>(
      tab,
      `(() => {
        const canvas = document.querySelector('canvas[data-line]');
        const { right } = canvas.getBoundingClientRect();
        const { chartArea } = Chart.getChart(canvas);
        const seen = new Set();
        for (let x = chartArea.right - 300; x < chartArea.right; x++) seen.add(pixel(canvas, x, chartArea.bottom - 40));
        return { area: canvas.width * canvas.height, right: right <= innerWidth, drawn: seen.has(colour('line')) };
      })()`,
    );
    expect(line.area).to.be.below(16_777_216);
    expect(line).to.include({ right: true, drawn: true });
    expect(canvases[1]?.height).to.be.above(500);
    expect(await overflow(tab)).to.deep.equal([]);
    isQuiet(tab);
  });

  it('runs nothing that a name or message brings along', async () => {
    const hostile =
      '</script><script>window.ran = 1</script><img src=x onerror="window.ran = 2"><a href="https://example.com">';
    const states = { '2026-11-20T05': 'unreadable' } as const;
    const sample = { destination: hostile, project: hostile, warnings: [hostile], message: hostile, states };
    const tab = await show(sample, { ...DESKTOP, theme: 'light' });
    expect(await tab.evaluate('window.ran ?? null')).to.equal(null);
    expect(await tab.evaluate(`document.querySelectorAll('bdi').length`)).to.equal(5);
    expect(await tab.evaluate(`document.querySelector('dd bdi').textContent`)).to.equal(hostile);
    isQuiet(tab);
  });

  it('lets its content security policy stop what would get in nevertheless', async () => {
    const tab = await show({}, { ...DESKTOP, theme: 'light' });
    await tab.evaluate(`document.body.insertAdjacentHTML('beforeend', '<img src="https://example.com/x.png" onerror="window.ran = 1">');
      document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 2' }));`);
    await tab.settle();
    expect(await tab.evaluate('window.ran ?? null')).to.equal(null);
    expect(tab.complaints.join()).to.include('Content Security Policy');
  });

  it('can be read where scripts do not run', async () => {
    const tab = await show({}, { ...PHONE, theme: 'light' });
    await tab.send('Emulation.setScriptExecutionDisabled', { value: true });
    await tab.reload();
    const seen = await tab.evaluate<{ note: boolean; button: boolean; rows: number }>(`({
      note: document.querySelector('noscript p')?.checkVisibility() ?? false,
      button: document.querySelector('button')?.checkVisibility() ?? false,
      rows: document.querySelectorAll('tbody th').length })`);
    expect(seen).to.deep.equal({ note: true, button: false, rows: 31 });
  });
});
